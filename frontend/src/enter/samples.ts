/** Samples as they are kept: what they carry, and how they are asked for. */

import { api } from "../api";
import { REPLAYED, SIMULATED, MANUAL } from "../components/value-text";
import type { Page, SampleKind, Tag } from "../types";

export interface Span {
  start_ms: number;
  end_ms: number;
}

export interface Sample {
  time_ms: number;
  /** Whole numbers beyond 2^53 are text. */
  value: number | string | null;
  quality: number;
  origin: number;
  flags: number;
}

export interface Correction {
  time_ms: number;
  value: number | string | null;
  quality: number;
  former: number | string | null;
  former_quality: number;
  former_origin: number;
  made_ms: number;
  by: string;
  reason: string;
}

export interface Entry {
  made_ms: number;
  by: string;
  time_ms: number;
  value: number | string | null;
  quality: number;
  comment?: string;
  count?: number;
}

interface RawAnswer {
  series: { tag: number; time: number[]; value: Sample["value"][]; quality: number[]; origin: number[]; flags: number[] }[];
}

export const CORRECTED = 1;
export const LATE = 2;
export const SAMPLES_MAX = 2000;

/** The column of the history that holds samples of a kind. */
export function columnOf(kind: SampleKind): "float64" | "int64" | "text" {
  if (kind === "float64") return "float64";
  return kind === "text" || kind === "blob" || kind === "array" ? "text" : "int64";
}

/** Samples of tags of one column, oldest first, by tag. */
export async function readRaw(tags: readonly Tag[], span: Span, limit: number, signal?: AbortSignal): Promise<Map<number, Sample[]>> {
  const [first] = tags;
  const column = columnOf(first?.kind ?? "float64");
  const range = { start_ms: Math.round(span.start_ms), end_ms: Math.round(span.end_ms) };
  const body = { tags: tags.map(({ tag }) => tag), ...range, limit, column };
  const { series } = await api.post<RawAnswer>("/history/raw", body, signal);
  return new Map(
    series.map(({ tag, time, value, quality, origin, flags }) => [
      tag,
      time.map((time_ms, index) => ({
        time_ms,
        value: value[index] ?? null,
        quality: quality[index] ?? 0,
        origin: origin[index] ?? 0,
        flags: flags[index] ?? 0,
      })),
    ]),
  );
}

export function readCorrections(tag: number, span: Span, signal: AbortSignal): Promise<Page<Correction>> {
  const range = { start_ms: Math.round(span.start_ms), end_ms: Math.round(span.end_ms) };
  return api.post<Page<Correction>>("/history/corrections", { tag, ...range }, signal);
}

/** `✎` by hand, `↻` replayed or simulated, `≠` corrected, `⇠` arrived late: in this order, none for a plain sample. */
export function signsOf(origin: number, flags: number): string {
  const made = flags & CORRECTED ? "≠" : origin === MANUAL ? "✎" : origin === REPLAYED || origin === SIMULATED ? "↻" : "";
  return made + (flags & LATE ? "⇠" : "");
}

/** The signs of a bucket: a bit for each origin from bit 0 on, the flags from bit 8 on. */
export function signsOfMarks(marks: number): string {
  const seen = (origin: number) => (marks & (1 << origin)) !== 0;
  const flags = marks >> 8;
  const by = `${flags & CORRECTED ? "≠" : ""}${seen(MANUAL) && !(flags & CORRECTED) ? "✎" : ""}${seen(REPLAYED) || seen(SIMULATED) ? "↻" : ""}`;
  return by + (flags & LATE ? "⇠" : "");
}

/** The sign of what people did in a bucket: corrected, else entered by hand. */
export function handSign(marks: number): string {
  if ((marks >> 8) & CORRECTED) return "≠";
  return marks & (1 << MANUAL) ? "✎" : "";
}

const WRITTEN = /^(\d{4})-(\d{1,2})-(\d{1,2})[ T](\d{1,2}):(\d{2})(?::(\d{2}))?$/;

/** A time as written in the plant's zone; null for anything else. */
export function timeOf(text: string, instant: (...parts: [number, number, number, number, number, number]) => number): number | null {
  const found = WRITTEN.exec(text.trim());
  if (!found) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = found.slice(1).map((part) => Number(part ?? 0));
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 59) return null;
  return instant(year, month, day, hour, minute, second);
}
