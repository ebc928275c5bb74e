/** Wall-clock arithmetic for ranges and axes: the zone is asked for its offset a few times, never per tick or per row. */

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The part of the plant's zone that is needed here. */
export interface Zone {
  /** Milliseconds to add to UTC to get the wall clock. */
  offsetMs(utc_ms: number): number;
  /** When shifts begin on its wall clock, in milliseconds since midnight. */
  readonly shifts: readonly number[];
}

export interface Stretch {
  start_ms: number;
  end_ms: number;
  offset_ms: number;
}

// No zone changes twice within this window, so equal offsets at both ends mean no change inside.
const WINDOW = 10 * DAY;

/** The wall clock of an instant, as milliseconds that read like UTC. */
export function toWall(utc_ms: number, zone: Zone): number {
  return utc_ms + zone.offsetMs(utc_ms);
}

/** The instant of a wall clock; of a repeated hour the first, a skipped hour moves forward. */
export function fromWall(wall_ms: number, zone: Zone): number {
  const before = zone.offsetMs(wall_ms - DAY);
  const after = zone.offsetMs(wall_ms + DAY);
  const early = wall_ms - before;
  if (zone.offsetMs(early) === before) return early;
  const late = wall_ms - after;
  return zone.offsetMs(late) === after ? late : early;
}

/** Cut a range where the offset changes. */
export function stretches(start_ms: number, end_ms: number, zone: Zone): Stretch[] {
  const found: Stretch[] = [];
  let from = start_ms;
  while (from < end_ms) {
    const offset_ms = zone.offsetMs(from);
    let same = from;
    let other = Math.min(from + WINDOW, end_ms);
    while (other < end_ms && zone.offsetMs(other) === offset_ms) {
      same = other;
      other = Math.min(other + WINDOW, end_ms);
    }
    if (zone.offsetMs(other) === offset_ms) {
      found.push({ start_ms: from, end_ms, offset_ms });
      break;
    }
    while (other - same > 1) {
      const middle = Math.floor((same + other) / 2);
      if (zone.offsetMs(middle) === offset_ms) same = middle;
      else other = middle;
    }
    found.push({ start_ms: from, end_ms: other, offset_ms });
    from = other;
  }
  return found;
}

const two = (value: number): string => (value < 10 ? `0${value}` : String(value));

/** `+08` or `+05:30`. */
export function offsetText(offset_ms: number): string {
  const minutes = Math.abs(Math.round(offset_ms / MINUTE));
  const rest = minutes % 60;
  return `${offset_ms < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}${rest ? `:${two(rest)}` : ""}`;
}

/** `2026-11-21` of a wall clock. */
export function dateText(wall_ms: number): string {
  const date = new Date(wall_ms);
  return `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
}

/** `10:42`, `10:42:07` or `10:42:07.250` of a wall clock. */
export function clockText(wall_ms: number, precision: "min" | "s" | "ms" = "min"): string {
  const date = new Date(wall_ms);
  const minutes = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
  if (precision === "min") return minutes;
  const seconds = `${minutes}:${two(date.getUTCSeconds())}`;
  return precision === "s" ? seconds : `${seconds}.${String(date.getUTCMilliseconds()).padStart(3, "0")}`;
}

/** `11-21 02:42 - 10:42 +08`: as short as it stays unmistakable; the year shows when it is not this year. */
export function spanText(start_ms: number, end_ms: number, now_ms: number, zone: Zone): string {
  const start = toWall(start_ms, zone);
  const end = toWall(end_ms, zone);
  const precision = end_ms - start_ms < 2 * MINUTE ? "ms" : end_ms - start_ms < 2 * HOUR ? "s" : "min";
  const year = dateText(toWall(now_ms, zone)).slice(0, 4);
  const sameYear = dateText(start).startsWith(year) && dateText(end).startsWith(year);
  const day = (wall: number): string => (sameYear ? dateText(wall).slice(5) : dateText(wall));
  const first = zone.offsetMs(start_ms);
  const last = zone.offsetMs(end_ms);
  const from = `${day(start)} ${clockText(start, precision)}${first === last ? "" : ` ${offsetText(first)}`}`;
  const until = dateText(start) === dateText(end) ? clockText(end, precision) : `${day(end)} ${clockText(end, precision)}`;
  return `${from} - ${until} ${offsetText(last)}`;
}
