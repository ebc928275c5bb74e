import { formatNumber } from "../format/number";
import type { Alarm, AlarmEvent, AlarmTransition, Words } from "../types";
import type { Say } from "../words";
import type { alarmWords } from "../words/alarms";

const UNLIMITED: ReadonlySet<string> = new Set(["state", "change"]);
const UNMEASURED: ReadonlySet<string> = new Set(["stale", "expression"]);
const PER: Record<string, string> = { second: "/s", minute: "/min", hour: "/h" };

/** `2.914 / 2.900 MPa`; a rate carries its time, a state its word and no limit, a silent tag and an expression neither. */
export function valueAndLimit(alarm: Pick<Alarm | AlarmEvent, "value" | "limit" | "unit" | "decimals" | "condition" | "per" | "words">, say?: (words: Words) => string): string {
  if (UNMEASURED.has(alarm.condition)) return "-";
  const word = alarm.words?.[String(alarm.value)];
  if (word && say) return say(word);
  const value = alarm.value === null ? "-" : formatNumber(alarm.value, alarm.condition === "rate" ? null : alarm.decimals);
  if (UNLIMITED.has(alarm.condition)) return `${value} ${alarm.unit}`.trim();
  const limit = formatNumber(alarm.limit, alarm.condition === "rate" ? null : alarm.decimals);
  return `${value} / ${limit} ${alarm.unit}${PER[alarm.per ?? ""] ?? ""}`.trim();
}

/** The path of a tag's area: what stands below enterprise and site. */
export function areaOfPath(path: string): string {
  const parts = path.split("/");
  return parts.slice(0, Math.max(1, Math.min(3, parts.length - 1))).join("/");
}

/** A length of time in words: `2 h 5 min`. */
export function lengthText(t: Say<typeof alarmWords>, ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return t("seconds", { n: seconds });
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return t("minutes", { n: minutes });
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? t("hours", { n: hours }) : t("hoursMinutes", { h: hours, m: minutes % 60 });
  return t("days", { n: Math.round(hours / 24) });
}

const TRANSITION_WORDS = { acknowledged: "acknowledgedEvent", "out-of-service": "takenOut", "in-service": "returned", shelved: "shelvedEvent", suppressed: "suppressedEvent" } as const;

export const transitionWord = (transition: AlarmTransition) =>
  transition in TRANSITION_WORDS ? TRANSITION_WORDS[transition as keyof typeof TRANSITION_WORDS] : (transition as Exclude<AlarmTransition, keyof typeof TRANSITION_WORDS>);
