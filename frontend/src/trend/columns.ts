/** Buckets of history as columns that can be drawn, with live values appended and gaps kept. */

export type Cell = number | null;

export interface TrendSeries {
  tag: number;
  /** Start of each bucket that holds samples; absent buckets are absent here. */
  time: number[];
  first: Cell[];
  min: Cell[];
  max: Cell[];
  last: Cell[];
  mean: Cell[];
  good: number[];
  bad: number[];
  /** 1 where the newest sample of the bucket is good, so that its value holds on. */
  held: number[];
  /** When the newest sample was taken, once one came live. */
  newest_ms?: number;
  /** What is in each bucket: a bit for each origin from bit 0 on, corrected and late from bit 8 on. */
  marks?: number[];
}

export interface TrendAnswer {
  bucket_ms: number;
  zone: string;
  series: TrendSeries[];
  oldest_ms: number | null;
  took_ms: number;
}

export interface Stretch {
  start_ms: number;
  end_ms: number;
}

export interface Line {
  tag: number;
  bucket_ms: number;
  /** Middle of each bucket. */
  time: number[];
  value: Cell[];
  min: Cell[];
  max: Cell[];
  /** Without samples for longer than the tag is ever silent, or since the last one was bad. */
  gaps: Stretch[];
  /** Buckets with bad samples. */
  bad: Stretch[];
}

export interface Pace {
  discrete: boolean;
  scan_ms: number;
  silence_max_ms: number;
}

const GOOD_MASK = 0xc0;

/** Whether the two top bits of a quality say good. */
export function isGood(quality: number): boolean {
  return (quality & GOOD_MASK) === GOOD_MASK;
}

/** A tag that only reports changes is silent for a while without a gap; this is longer. */
export function gapAfter(pace: Pace, bucket_ms: number): number {
  return Math.max(2 * bucket_ms, 1.5 * Math.max(pace.scan_ms, pace.silence_max_ms));
}

/** Turn one series of an answer into a line: the mean, or the last state of a discrete tag. */
export function lineOf(series: TrendSeries, bucket_ms: number, pace: Pace): Line {
  const { time, good, bad, held } = series;
  const half = pace.discrete ? 0 : bucket_ms / 2;
  const silence = gapAfter(pace, bucket_ms);
  const line: Line = {
    tag: series.tag,
    bucket_ms,
    time: time.map((at) => at + half),
    value: pace.discrete ? series.last : series.mean,
    min: series.min,
    max: series.max,
    gaps: [],
    bad: [],
  };
  for (let index = 0; index < time.length; index += 1) {
    const at = time[index] ?? 0;
    const next = time[index + 1];
    const end_ms = at + bucket_ms;
    // Bad quality holds until the next sample, at the end of the line for as long as nothing comes.
    // Further bad samples do not end a gap: one loss of contact is one gap.
    const open = good[index] ? undefined : line.gaps.at(-1);
    const goesOn = open?.end_ms === at;
    if (open && goesOn) open.end_ms = end_ms;
    const isGap = held[index] ? next !== undefined && next - at > silence : (next ?? Infinity) > end_ms;
    if (isGap && open && goesOn) open.end_ms = next ?? Infinity;
    else if (isGap) line.gaps.push({ start_ms: end_ms, end_ms: next ?? Infinity });
    if (!bad[index]) continue;
    const previous = line.bad.at(-1);
    if (previous && previous.end_ms >= at) previous.end_ms = end_ms;
    else line.bad.push({ start_ms: at, end_ms });
  }
  return line;
}

/** Columns for one chart: x, then value, max and min of each line. `null` breaks a line, `undefined` does not. */
export function joined(lines: readonly Line[]): [number[], ...(number | null | undefined)[][]] {
  const times = new Set<number>();
  for (const line of lines) {
    for (const at of line.time) times.add(at);
    for (const gap of line.gaps) times.add(gap.start_ms);
  }
  const x = Float64Array.from(times).sort();
  const columns: (number | null | undefined)[][] = [];
  const place = new Map<number, number>();
  x.forEach((at, index) => place.set(at, index));
  for (const line of lines) {
    const trio = [line.value, line.max, line.min].map((source) => {
      const column = new Array<number | null | undefined>(x.length).fill(undefined);
      source.forEach((value, index) => {
        const row = place.get(line.time[index] ?? NaN);
        if (row !== undefined) column[row] = value;
      });
      for (const gap of line.gaps) {
        const row = place.get(gap.start_ms);
        if (row !== undefined && column[row] === undefined) column[row] = null;
      }
      return column;
    });
    columns.push(...trio);
  }
  return [Array.from(x), ...columns];
}

/** Lowest and highest value inside a span; null when nothing is there. */
export function extent(lines: readonly Line[], start_ms: number, end_ms: number): [number, number] | null {
  let [low, high] = [Infinity, -Infinity];
  for (const { time, min, max, bucket_ms } of lines) {
    time.forEach((at, index) => {
      if (at < start_ms - bucket_ms || at > end_ms + bucket_ms) return;
      const [least, most] = [min[index] ?? null, max[index] ?? null];
      if (least !== null && least < low) low = least;
      if (most !== null && most > high) high = most;
    });
  }
  return low <= high && Number.isFinite(low) && Number.isFinite(high) ? [low, high] : null;
}

/** Add room above and below, take in limits that are near, and never give an empty scale. */
export function scaleRange(found: [number, number] | null, limits: readonly number[] = []): [number, number] {
  let [low, high] = found ?? [0, 1];
  const near = Math.max(high - low, Math.abs(high) * 0.02, 1e-9) * 0.5;
  for (const limit of limits) {
    if (limit > high && limit <= high + near) high = limit;
    if (limit < low && limit >= low - near) low = limit;
  }
  const room = high > low ? (high - low) * 0.06 : Math.max(Math.abs(high) * 0.02, 0.5);
  return [low - room, high + room];
}

/**
 * Take in one live value; the newest bucket grows or a new one begins. Older values are left to history.
 *
 * The feed begins with the value that is the newest in history too: it is counted once.
 */
export function appendLive(series: TrendSeries, bucket_ms: number, time_ms: number, value: number, quality: number, origin = 0): boolean {
  const newest = series.time.length - 1;
  const last = series.time[newest];
  const start = last === undefined ? Math.floor(time_ms / bucket_ms) * bucket_ms : last + Math.floor((time_ms - last) / bucket_ms) * bucket_ms;
  if (last !== undefined && start < last) return false;
  const good = isGood(quality) && Number.isFinite(value);
  const same = series.held[newest] === (good ? 1 : 0) && (!good || series.last[newest] === value);
  const counted = series.newest_ms === undefined ? last === start && same : time_ms <= series.newest_ms;
  if (series.newest_ms === undefined || time_ms > series.newest_ms) series.newest_ms = time_ms;
  if (counted) return false;
  if (last === start) {
    series.held[newest] = good ? 1 : 0;
    if (series.marks) series.marks[newest] = (series.marks[newest] ?? 0) | (1 << origin);
    if (good) {
      const count = series.good[newest] ?? 0;
      const [min, max, mean] = [series.min[newest] ?? value, series.max[newest] ?? value, series.mean[newest] ?? value];
      series.min[newest] = Math.min(min, value);
      series.max[newest] = Math.max(max, value);
      series.mean[newest] = (mean * count + value) / (count + 1);
      series.last[newest] = value;
      series.good[newest] = count + 1;
    } else series.bad[newest] = (series.bad[newest] ?? 0) + 1;
    return true;
  }
  const cell = good ? value : null;
  series.time.push(start);
  for (const column of [series.first, series.min, series.max, series.last, series.mean]) column.push(cell);
  series.good.push(good ? 1 : 0);
  series.bad.push(good ? 0 : 1);
  series.held.push(good ? 1 : 0);
  series.marks?.push(1 << origin);
  return true;
}

/** Forget buckets that slid out of the picture. */
export function dropBefore(series: TrendSeries, start_ms: number): void {
  let count = 0;
  // One bucket before the edge stays, so that the line enters the picture from outside.
  while (count + 1 < series.time.length && (series.time[count + 1] ?? Infinity) < start_ms) count += 1;
  if (count === 0) return;
  const { time, first, min, max, last, mean, good, bad, held, marks = [] } = series;
  for (const column of [time, first, min, max, last, mean, good, bad, held, marks]) column.splice(0, count);
}

/** Index of the last element that is not after `at`, or -1. */
export function before(times: readonly number[], at: number): number {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The value drawn at an instant; null in a gap, while bad, or before the first sample. */
export function valueAt(series: TrendSeries, bucket_ms: number, at_ms: number, pace: Pace): Cell {
  const index = before(series.time, at_ms);
  const start = series.time[index];
  if (start === undefined || at_ms - start > gapAfter(pace, bucket_ms)) return null;
  if (at_ms - start >= bucket_ms && !series.held[index]) return null;
  return (pace.discrete ? series.last[index] : at_ms - start < bucket_ms ? series.mean[index] : series.last[index]) ?? null;
}

/** What is in the bucket at an instant, 0 where there is none. */
export function marksAt(series: TrendSeries, bucket_ms: number, at_ms: number): number {
  const index = before(series.time, at_ms);
  const start = series.time[index];
  return start === undefined || at_ms - start >= bucket_ms ? 0 : (series.marks?.[index] ?? 0);
}

export interface Summary {
  min: Cell;
  max: Cell;
  mean: Cell;
  good: number;
  bad: number;
}

/** Figures of a series inside a span; the mean weighs buckets by their good samples. */
export function summary(series: TrendSeries, start_ms: number, end_ms: number, bucket_ms: number): Summary {
  const sum: Summary = { min: null, max: null, mean: null, good: 0, bad: 0 };
  let total = 0;
  series.time.forEach((at, index) => {
    if (at + bucket_ms <= start_ms || at >= end_ms) return;
    const [min, max, mean] = [series.min[index] ?? null, series.max[index] ?? null, series.mean[index] ?? null];
    const good = series.good[index] ?? 0;
    sum.bad += series.bad[index] ?? 0;
    if (min !== null && (sum.min === null || min < sum.min)) sum.min = min;
    if (max !== null && (sum.max === null || max > sum.max)) sum.max = max;
    if (mean === null || good === 0) return;
    sum.good += good;
    total += mean * good;
  });
  if (sum.good > 0) sum.mean = total / sum.good;
  return sum;
}

/** How long the gaps of a line last inside a span. */
export function gapTotal(line: Line, start_ms: number, end_ms: number): { count: number; total_ms: number } {
  const inside = line.gaps
    .map((gap) => Math.min(gap.end_ms, end_ms) - Math.max(gap.start_ms, start_ms))
    .filter((length) => length > 0);
  return { count: inside.length, total_ms: inside.reduce((sum, length) => sum + length, 0) };
}
