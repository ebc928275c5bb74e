/** Times in the plant's zone. Integer arithmetic: asking `Intl` for every tick of an axis is a thousand times slower. */

import { USUAL_SHIFTS } from "./shifts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const QUARTER = 15 * MINUTE;
const CACHE_MAX = 4096;

export interface Civil {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  ms: number;
}

const two = (value: number) => (value < 10 ? `0${value}` : String(value));

/** Days since 1970-01-01 to a date of the Gregorian calendar. */
function civilFromDays(days: number): { year: number; month: number; day: number } {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** A plant's time zone: `offsetMs` is exact through changes of daylight saving time and cheap to ask. */
export class Zone {
  readonly name: string;
  /** When shifts begin on this clock, in milliseconds since midnight. */
  readonly shifts: readonly number[];
  private readonly clock: Intl.DateTimeFormat;
  private readonly wholeYears = new Map<number, number | null>();
  private readonly quarters = new Map<number, number>();

  constructor(name: string, shifts: readonly number[] = USUAL_SHIFTS) {
    this.name = name;
    this.shifts = shifts;
    this.clock = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
  }

  private measured(ms: number): number {
    const found: Record<string, number> = {};
    for (const part of this.clock.formatToParts(ms)) found[part.type] = Number(part.value);
    const { year = 1970, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = found;
    return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000;
  }

  /** The offset of a year that has only one, or null where clocks change within it. */
  private offsetOfYear(year: number): number | null {
    const known = this.wholeYears.get(year);
    if (known !== undefined) return known;
    const months = Array.from({ length: 13 }, (_, month) => this.measured(Date.UTC(year, month, 1)));
    const offset = months.every((each) => each === months[0]) ? (months[0] ?? 0) : null;
    this.wholeYears.set(year, offset);
    return offset;
  }

  offsetMs(ms: number): number {
    const whole = this.offsetOfYear(civilFromDays(Math.floor(ms / DAY)).year);
    if (whole !== null) return whole;
    const quarter = Math.floor(ms / QUARTER);
    let offset = this.quarters.get(quarter);
    if (offset === undefined) {
      offset = this.measured(quarter * QUARTER);
      if (this.quarters.size >= CACHE_MAX) this.quarters.clear();
      this.quarters.set(quarter, offset);
    }
    return offset;
  }

  civil(ms: number): Civil {
    const local = Math.floor(ms) + this.offsetMs(ms);
    const days = Math.floor(local / DAY);
    const rest = local - days * DAY;
    return {
      ...civilFromDays(days),
      hour: Math.floor(rest / HOUR),
      minute: Math.floor((rest % HOUR) / MINUTE),
      second: Math.floor((rest % MINUTE) / 1000),
      ms: rest % 1000,
    };
  }

  /** UTC milliseconds of a wall-clock time here; of a repeated hour the first, of a skipped one the moment after. */
  instant(year: number, month: number, day: number, hour = 0, minute = 0, second = 0): number {
    const local = Date.UTC(year, month - 1, day, hour, minute, second);
    const before = local - this.offsetMs(local - DAY);
    const after = local - this.offsetMs(local + DAY);
    const early = Math.min(before, after);
    return early + this.offsetMs(early) === local ? early : Math.max(before, after);
  }

  /** `2026-11-21` */
  date(ms: number): string {
    const { year, month, day } = this.civil(ms);
    return `${year}-${two(month)}-${two(day)}`;
  }

  /** `10:42:07` */
  time(ms: number): string {
    const { hour, minute, second } = this.civil(ms);
    return `${two(hour)}:${two(minute)}:${two(second)}`;
  }

  /** `2026-11-21 10:42:07` */
  full(ms: number): string {
    return `${this.date(ms)} ${this.time(ms)}`;
  }

  /** `+08`, `+05:30` */
  offsetText(ms: number): string {
    const minutes = Math.round(this.offsetMs(ms) / MINUTE);
    const size = Math.abs(minutes);
    const rest = size % 60;
    return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${rest === 0 ? "" : `:${two(rest)}`}`;
  }
}

/** How old something is, as `0.4 s`, `42 s`, `3 min`; null from an hour on, when the time itself is shown. */
export function shortAge(ms: number): string | null {
  if (ms >= HOUR) return null;
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  return `${Math.floor(seconds / 60)} min`;
}

/** An age under an hour in words, older ones as time (today) or date and time. */
export function ageText(ms: number, now: number, zone: Zone): string {
  const age = shortAge(now - ms);
  if (age !== null) return age;
  return zone.date(ms) === zone.date(now) ? zone.time(ms).slice(0, 5) : zone.full(ms).slice(0, 16);
}

/** A lasting time as `00:42`, `11:05`, `3:10:00`: minutes and seconds, hours when there are any. */
export function elapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const hours = Math.floor(seconds / 3600);
  const tail = `${two(Math.floor((seconds % 3600) / 60))}:${two(seconds % 60)}`;
  if (hours >= 48) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  return hours > 0 ? `${hours}:${tail}` : tail;
}
