/** States over time: spans of one value, and how each value looks. */
import { type EquipmentState, type Mode, palettes, stateColours } from "../theme/tokens";
import type { Tag } from "../types";
import { formatOf } from "../components/value-text";
import { gapAfter, type Pace, type TrendSeries } from "./columns";

export interface StateSpan {
  /** null: several states within one bucket, which of them when is not known at this zoom. */
  value: number | null;
  start_ms: number;
  end_ms: number;
}

/** Whether a bucket held more than the change from the state before it to its last one. */
function isMixed(series: TrendSeries, index: number, before: number | null): boolean {
  const last = series.last[index];
  return [series.first[index], series.min[index], series.max[index]].some((value) => value !== null && value !== undefined && value !== last && value !== before);
}

/** The states of a series until an instant: each holds until the next sample, or for its bucket where it turned bad. */
export function stateSpans(series: TrendSeries, bucket_ms: number, pace: Pace, until_ms: number): StateSpan[] {
  const spans: StateSpan[] = [];
  const silence = gapAfter(pace, bucket_ms);
  const add = (value: number | null, start_ms: number, end_ms: number) => {
    const newest = spans.at(-1);
    if (end_ms <= start_ms) return;
    if (newest?.value === value && newest.end_ms >= start_ms) newest.end_ms = end_ms;
    else spans.push({ value, start_ms, end_ms });
  };
  let before: number | null = null;
  series.time.forEach((at, index) => {
    const value = series.last[index] ?? null;
    const next = series.time[index + 1];
    const bucketEnd = Math.min(at + bucket_ms, next ?? until_ms);
    const holds = Boolean(series.held[index]) && (next === undefined || next - at <= silence);
    const end = holds ? (next ?? until_ms) : bucketEnd;
    if (value !== null) {
      const mixed = isMixed(series, index, before);
      if (mixed) add(null, at, bucketEnd);
      add(value, mixed ? bucketEnd : at, end);
    }
    before = holds ? value : null;
  });
  return spans;
}

export type Pattern = "plain" | "hatch" | "dots" | "vertical" | "horizontal" | "cross" | "empty";

/** How a state is drawn: a fill, a pattern over it, and for states of equipment their letter. */
export interface StateLook {
  fill: string;
  pattern: Pattern;
  sign: string;
}

const WORDS: Record<EquipmentState, readonly string[]> = {
  running: ["running", "run", "active", "on", "operating", "producing", "production", "运行", "运行中", "生产"],
  idle: ["idle", "ready", "standby", "stand-by", "waiting", "待机", "就绪", "空闲", "等待"],
  stopped: ["stopped", "stop", "停止", "已停止", "停机"],
  fault: ["fault", "faulted", "failure", "error", "alarm", "tripped", "triggered", "故障", "已触发", "跳闸"],
  maintenance: ["maintenance", "service", "检修", "维护", "维修"],
  off: ["off", "unknown", "unavailable", "offline", "断电", "未知", "不可用", "离线"],
};
const EQUIPMENT = new Map(Object.entries(WORDS).flatMap(([state, words]) => words.map((word) => [word, state as EquipmentState] as const)));
const PATTERN_OF: Record<EquipmentState, Pattern> = { running: "plain", idle: "plain", stopped: "plain", fault: "hatch", maintenance: "dots", off: "empty" };
/** Looks of values that are no states of equipment: calm fills, told apart by brightness and pattern. */
const FILLS = ["idle", "running", "stopped"] as const;
const PATTERNS: readonly Pattern[] = ["plain", "vertical", "dots", "horizontal", "cross"];

function equipmentState(tag: Tag, value: number): EquipmentState | undefined {
  const words = tag.words?.[String(value)];
  return words && (EQUIPMENT.get(words.en.trim().toLowerCase()) ?? EQUIPMENT.get(words.zh.trim()));
}

/** The values of a tag that have words, in the order of their numbers. */
function worded(tag: Tag): number[] {
  return Object.keys(formatOf(tag).words ?? {})
    .map(Number)
    .filter(Number.isFinite)
    .sort((left, right) => left - right);
}

/** How a value of a tag looks: as the state of equipment its word names, else a fill and a pattern of its own. */
export function stateLook(tag: Tag, value: number | null, mode: Mode): StateLook {
  if (value === null) return { fill: palettes[mode].container, pattern: "cross", sign: "" };
  const values = worded(tag);
  const state = equipmentState(tag, value);
  // Two values whose words mean the same state would look alike: the second has a look of its own.
  const isFirst = state !== undefined && values.find((each) => equipmentState(tag, each) === state) === value;
  if (state !== undefined && isFirst) return { fill: stateColours[state].timeline[mode], pattern: PATTERN_OF[state], sign: stateColours[state].sign };
  if (tag.kind === "boolean") return value === 0 ? { fill: "transparent", pattern: "empty", sign: "" } : { fill: stateColours.running.timeline[mode], pattern: "plain", sign: "" };
  const place = values.includes(value) ? values.indexOf(value) : Math.abs(Math.round(value));
  // Beside states of equipment, which have the plain fills, every other value has a pattern.
  const from = values.some((each) => equipmentState(tag, each) !== undefined) ? FILLS.length : 0;
  const look = from + (place % (FILLS.length * PATTERNS.length - from));
  return { fill: stateColours[FILLS[look % FILLS.length] ?? "idle"].timeline[mode], pattern: PATTERNS[Math.floor(look / FILLS.length)] ?? "plain", sign: "" };
}
