/** Texts over time: what was said from when until when. */
import type { Sample } from "../enter/samples";
import { isGood } from "./columns";

export interface TextSpan {
  value: string;
  start_ms: number;
  end_ms: number;
  origin: number;
  flags: number;
}

/** Good samples as spans: equal ones in a row are one, and each holds until the next sample of any quality. */
export function spansOf(samples: readonly Sample[], joined: boolean, until_ms: number): TextSpan[] {
  const spans: TextSpan[] = [];
  let holds = false;
  for (const { time_ms, value, quality, origin, flags } of samples) {
    const last = holds ? spans.at(-1) : undefined;
    if (last) last.end_ms = time_ms;
    holds = value !== null && value !== "" && isGood(quality);
    if (!holds || (joined && last?.value === String(value))) continue;
    spans.push({ value: String(value), start_ms: time_ms, end_ms: time_ms, origin, flags });
  }
  const newest = spans.at(-1);
  if (holds && newest) newest.end_ms = Math.max(newest.start_ms, until_ms);
  return spans;
}

/** The text that held at an instant; null where none did. */
export function textAt(spans: readonly TextSpan[], at_ms: number): string | null {
  return spans.findLast(({ start_ms, end_ms }) => start_ms <= at_ms && at_ms <= end_ms)?.value ?? null;
}
