/** Alarm transitions as bars on the time axis. */
import type { Alarm, AlarmEvent, AlarmState } from "../types";
import type { Priority } from "../theme/tokens";
import { PRIORITIES } from "../theme/tokens";
import type { Words } from "../types";
import type { Zoom } from "./range";

export interface AlarmBar {
  key: string;
  tag: number;
  tag_name: string;
  name: Words;
  priority: Priority;
  state: AlarmState;
  start_ms: number;
  /** null: still active. */
  end_ms: number | null;
}

export const BARS_MAX = 120;

type Row = Pick<AlarmEvent, "alarm" | "tag" | "tag_name" | "name" | "priority" | "raised_ms">;

function barOf(row: Row, state: AlarmState, end_ms: number | null): AlarmBar {
  const { alarm, tag, tag_name, name, priority, raised_ms } = row;
  return { key: `${alarm}-${raised_ms}`, tag, tag_name, name, priority, state, start_ms: raised_ms, end_ms };
}

/** One bar for each time an alarm was raised, from its transitions inside the span and from what is active now. */
export function barsOf(events: readonly AlarmEvent[], active: readonly Alarm[], span: Zoom): AlarmBar[] {
  const bars = new Map<string, AlarmBar>();
  for (const event of [...events].sort((left, right) => left.time_ms - right.time_ms)) {
    const key = `${event.alarm}-${event.raised_ms}`;
    const before = bars.get(key);
    const ended = event.transition === "cleared" || event.transition === "removed";
    bars.set(key, barOf(event, event.state, ended ? event.time_ms : (before?.end_ms ?? null)));
  }
  for (const alarm of active) {
    const key = `${alarm.alarm}-${alarm.raised_ms}`;
    const cleared = alarm.state === "cleared-unacknowledged";
    const end_ms = cleared ? (bars.get(key)?.end_ms ?? alarm.changed_ms) : null;
    bars.set(key, barOf(alarm, alarm.state, end_ms));
  }
  return [...bars.values()]
    .filter((bar) => bar.start_ms <= span.end_ms && (bar.end_ms === null || bar.end_ms >= span.start_ms))
    .sort((left, right) => left.start_ms - right.start_ms);
}

/** The most urgent bars that may be drawn, and how many are left out. */
export function drawnBars(bars: readonly AlarmBar[], most = BARS_MAX): { bars: AlarmBar[]; hidden: number } {
  if (bars.length <= most) return { bars: [...bars], hidden: 0 };
  const rank = (bar: AlarmBar): number => PRIORITIES.indexOf(bar.priority);
  const kept = new Set([...bars].sort((left, right) => rank(left) - rank(right)).slice(0, most));
  return { bars: bars.filter((bar) => kept.has(bar)), hidden: bars.length - most };
}

export const TRACKS_MAX = 3;

/** A row for each bar so that signs do not cover each other; when all rows are taken, the last is shared. */
export function tracksOf(bars: readonly AlarmBar[], span: Zoom, width: number, sign: number): number[] {
  const free: number[] = [];
  const scale = width / Math.max(span.end_ms - span.start_ms, 1);
  return bars.map((bar) => {
    const from = (Math.max(bar.start_ms, span.start_ms) - span.start_ms) * scale;
    const until = (Math.min(bar.end_ms ?? span.end_ms, span.end_ms) - span.start_ms) * scale;
    let track = free.findIndex((end) => end <= from);
    if (track < 0) track = Math.min(free.length, TRACKS_MAX - 1);
    free[track] = Math.max(from + sign, until) + 2;
    return track;
  });
}
