/** Ticks of the time axis in the plant's zone, by integer arithmetic. */
import { DAY, HOUR, MINUTE, SECOND, type Zone, clockText, dateText, offsetText, stretches } from "./zone";

export interface Tick {
  at_ms: number;
  label: string;
}

const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14].map((count) => count * DAY),
];
const MONTHS = [1, 2, 3, 6, 12, 24, 60, 120];
const MONTH = 30.44 * DAY;
const MONDAY = 4 * DAY; // 1970-01-05

function wallTicks(start: number, end: number, step: number): number[] {
  const phase = step >= 7 * DAY ? MONDAY : 0;
  const ticks: number[] = [];
  for (let at = Math.ceil((start - phase) / step) * step + phase; at < end; at += step) ticks.push(at);
  return ticks;
}

function monthTicks(start: number, end: number, months: number): number[] {
  const date = new Date(start);
  let index = Math.ceil((date.getUTCFullYear() * 12 + date.getUTCMonth()) / months) * months;
  const ticks: number[] = [];
  for (;;) {
    const at = Date.UTC(Math.floor(index / 12), index % 12, 1);
    if (at >= end) return ticks;
    if (at >= start) ticks.push(at);
    index += months;
  }
}

/** At most `room` ticks between both ends; the date stands below the first tick of each day. */
export function timeTicks(start_ms: number, end_ms: number, room: number, zone: Zone): Tick[] {
  const least = (end_ms - start_ms) / Math.max(room, 1);
  const step = STEPS.find((size) => size >= least);
  const months = step === undefined ? (MONTHS.find((count) => count * MONTH >= least) ?? 240) : 0;
  const parts = stretches(start_ms, end_ms, zone);
  const ticks: Tick[] = [];
  let lastDate = "";
  for (const part of parts) {
    const [from, until] = [part.start_ms + part.offset_ms, part.end_ms + part.offset_ms];
    for (const wall of step === undefined ? monthTicks(from, until, months) : wallTicks(from, until, step)) {
      const date = dateText(wall);
      let label: string;
      if (step === undefined) label = months % 12 === 0 ? date.slice(0, 4) : date.slice(0, 7);
      else if (step >= DAY) label = date.slice(0, 4) === lastDate.slice(0, 4) ? date.slice(5) : date;
      else {
        const clock = clockText(wall, step >= MINUTE ? "min" : step >= SECOND ? "s" : "ms");
        // Where the clock changes inside the picture, an hour may come twice: its offset tells which.
        const offset = parts.length > 1 ? ` ${offsetText(part.offset_ms)}` : "";
        label = date === lastDate ? clock + offset : `${clock}${offset}\n${date}`;
      }
      lastDate = date;
      ticks.push({ at_ms: wall - part.offset_ms, label });
    }
  }
  return ticks;
}

/** Round steps of a value axis: 1, 2, 2.5 or 5 times a power of ten. */
export function valueTicks(low: number, high: number, room: number): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const least = span / Math.max(room, 1);
  const power = 10 ** Math.floor(Math.log10(least));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= least * (1 - 1e-9)) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.min(last - first + 1, 100) }, (_, index) => {
    const value = (first + index) * step;
    return Math.abs(value) < step * 1e-9 ? 0 : Number(value.toPrecision(12));
  });
}
