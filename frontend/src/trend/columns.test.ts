import { describe, expect, it } from "vitest";
import { type TrendSeries, appendLive, dropBefore, extent, gapTotal, joined, lineOf, scaleRange, summary, valueAt } from "./columns";

const pace = { discrete: false, scan_ms: 1_000, silence_max_ms: 1_000 };

function series(time: number[], mean: (number | null)[], bad: number[] = mean.map(() => 0)): TrendSeries {
  return {
    tag: 17,
    time: [...time],
    first: [...mean],
    min: mean.map((value) => (value === null ? null : value - 1)),
    max: mean.map((value) => (value === null ? null : value + 1)),
    last: [...mean],
    mean: [...mean],
    good: mean.map((value) => (value === null ? 0 : 10)),
    bad: [...bad],
    held: mean.map((value) => (value === null ? 0 : 1)),
  };
}

describe("lines", () => {
  it("break where buckets are absent and count the gap", () => {
    const line = lineOf(series([0, 1000, 6000], [1, 2, 3]), 1000, pace);
    expect(line.gaps).toEqual([{ start_ms: 2000, end_ms: 6000 }]);
    expect(gapTotal(line, 0, 4000)).toEqual({ count: 1, total_ms: 2000 });
    const [x, value] = joined([line]);
    expect(x).toEqual([500, 1500, 2000, 6500]);
    expect(value).toEqual([1, 2, null, 3]);
  });
  it("do not break while a tag is only silent because nothing changed", () => {
    expect(lineOf(series([0, 50_000], [1, 2]), 1000, { ...pace, silence_max_ms: 60_000 }).gaps).toEqual([]);
  });
  it("mark where quality was bad, until a good sample comes", () => {
    const line = lineOf(series([0, 1000, 2000, 3000], [1, null, null, 2], [0, 5, 5, 0]), 1000, pace);
    expect(line.bad).toEqual([{ start_ms: 1000, end_ms: 3000 }]);
    expect(joined([line])[1]).toEqual([1, null, null, 2]);
  });
  it("break where contact was lost in a bucket that has a good value too, however long the tag may be silent", () => {
    const cut = { ...series([0, 1000, 25_000], [4, 4.07, 3.99], [0, 1, 1]), held: [1, 0, 1] };
    const line = lineOf(cut, 1000, { ...pace, silence_max_ms: 60_000 });
    expect(line.gaps).toEqual([{ start_ms: 2000, end_ms: 25_000 }]);
    expect(line.bad).toEqual([{ start_ms: 1000, end_ms: 2000 }, { start_ms: 25_000, end_ms: 26_000 }]);
    expect(joined([line])[1]).toEqual([4, 4.07, null, 3.99]);
    expect(valueAt(cut, 1000, 12_000, { ...pace, silence_max_ms: 60_000 })).toBeNull();
  });
  it("have one gap for one loss of contact, however many bad samples tell of it", () => {
    const line = lineOf(series([0, 5000, 6000, 9000], [1, null, null, 2], [1, 1, 1, 0]), 1000, pace);
    expect(line.gaps).toEqual([{ start_ms: 1000, end_ms: 9000 }]);
    expect(joined([line])[1]).toEqual([1, null, null, null, 2]);
  });
  it("are unknown after a last bad sample, for as long as nothing comes", () => {
    const line = lineOf(series([0, 1000], [1, null], [0, 1]), 1000, pace);
    expect(line.gaps).toEqual([{ start_ms: 2000, end_ms: Infinity }]);
    expect(gapTotal(line, 0, 5000)).toEqual({ count: 1, total_ms: 3000 });
  });
  it("join on one axis without breaking each other", () => {
    const [x, first, , , second] = joined([
      lineOf(series([0, 2000], [1, 2]), 1000, pace),
      lineOf(series([1000], [5]), 1000, pace),
    ]);
    expect(x).toEqual([500, 1500, 2500]);
    expect(first).toEqual([1, undefined, 2]);
    expect(second).toEqual([undefined, 5, undefined]);
  });
});

describe("live values", () => {
  it("grow the newest bucket and begin new ones", () => {
    const kept = series([0], [10]);
    expect(appendLive(kept, 1000, 900, 21, 192)).toBe(true);
    expect([kept.mean[0], kept.max[0], kept.last[0], kept.good[0]]).toEqual([11, 21, 21, 11]);
    appendLive(kept, 1000, 2300, 5, 192);
    expect(kept.time).toEqual([0, 2000]);
    appendLive(kept, 1000, 3300, 0, 8);
    expect([kept.mean[2], kept.bad[2]]).toEqual([null, 1]);
    expect(appendLive(kept, 1000, 500, 1, 192)).toBe(false);
    dropBefore(kept, 3100);
    expect(kept.time).toEqual([3000]);
  });
});

describe("the first live value", () => {
  it("is not counted again when history ends with it", () => {
    const kept = { ...series([0], [7.2]), last: [7.1], good: [2] };
    expect(appendLive(kept, 1000, 900, 7.1, 192)).toBe(false);
    expect(summary(kept, 0, 1000, 1000)).toMatchObject({ mean: 7.2, good: 2 });
    expect(appendLive(kept, 1000, 950, 7.5, 192)).toBe(true);
    expect(summary(kept, 0, 1000, 1000)).toMatchObject({ good: 3, max: 8.2 });
    expect(appendLive(kept, 1000, 950, 7.5, 192)).toBe(false);
  });
});

describe("figures", () => {
  const kept = series([0, 1000, 2000], [1, 5, 3], [0, 0, 2]);
  it("weigh the mean by good samples", () => {
    expect(summary(kept, 1000, 3000, 1000)).toEqual({ min: 2, max: 6, mean: 4, good: 20, bad: 2 });
    expect(summary(kept, 9000, 9999, 1000).mean).toBeNull();
  });
  it("read the value at an instant, not across a gap", () => {
    expect(valueAt(kept, 1000, 1400, pace)).toBe(5);
    expect(valueAt(kept, 1000, 9000, pace)).toBeNull();
    expect(valueAt(kept, 1000, -1, pace)).toBeNull();
  });
  it("scale with room and take in limits that are near", () => {
    expect(extent([lineOf(kept, 1000, pace)], 0, 3000)).toEqual([0, 6]);
    const [low, high] = scaleRange([0, 6], [8, 100]);
    expect([low, high]).toEqual([-0.48, 8.48]);
    expect(scaleRange([5, 5])[0]).toBeLessThan(5);
    expect(scaleRange(null)[1]).toBeGreaterThan(1);
  });
});
