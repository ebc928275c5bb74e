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

/** Shelving and comments begin and end nothing. */
const BOUNDS: ReadonlySet<string> = new Set(["raised", "cleared", "acknowledged", "removed"]);

/** One bar for each time an alarm was raised, from its transitions inside the span and from what is active now. */
export function barsOf(events: readonly AlarmEvent[], active: readonly Alarm[], span: Zoom): AlarmBar[] {
  const bars = new Map<string, AlarmBar>();
  for (const event of [...events].sort((left, right) => left.time_ms - right.time_ms)) {
    if (!BOUNDS.has(event.transition)) continue;
    const key = `${event.alarm}-${event.raised_ms}`;
    const before = bars.get(key);
    const ended = event.transition === "cleared" || event.transition === "removed";
    // Acknowledged when it was over, its end not among the events: it ended before the span.
    const over = !ended && event.state === "normal" ? span.start_ms - 1 : null;
    bars.set(key, barOf(event, event.state, ended ? event.time_ms : (before?.end_ms ?? over)));
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

export const TRACKS_MAX = 2;

export interface Placed {
  bar: AlarmBar;
  from: number;
  until: number;
  track: number;
}

/** Lay bars in rows so that none covers another, the most urgent first; what finds no place is counted. */
export function placed(bars: readonly AlarmBar[], span: Zoom, width: number, sign: number): { placed: Placed[]; hidden: number } {
  const scale = width / Math.max(span.end_ms - span.start_ms, 1);
  const inside = bars.filter((bar) => bar.start_ms <= span.end_ms && (bar.end_ms ?? Infinity) >= span.start_ms);
  const byUrgency = [...inside].sort((left, right) => PRIORITIES.indexOf(left.priority) - PRIORITIES.indexOf(right.priority));
  const tracks: Placed[][] = Array.from({ length: TRACKS_MAX }, () => []);
  const found: Placed[] = [];
  for (const bar of byUrgency.slice(0, BARS_MAX)) {
    const from = Math.min(Math.max((bar.start_ms - span.start_ms) * scale, 0), width - sign);
    const until = Math.max(Math.min(((bar.end_ms ?? span.end_ms) - span.start_ms) * scale, width), from + sign);
    const track = tracks.findIndex((row) => row.every((other) => until <= other.from || from >= other.until));
    if (track < 0) continue;
    const place = { bar, from, until, track };
    tracks[track]?.push(place);
    found.push(place);
  }
  return { placed: found.sort((left, right) => left.from - right.from), hidden: inside.length - found.length };
}
