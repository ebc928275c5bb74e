import { describe, expect, it } from "vitest";
import { type Range, normalise, panned, parseRange, rangeParam, resolve, slidingWords, spanWords, zoomed } from "./range";
import { youngRange } from "./view";
import { Zone } from "../format/time";
import { DAY, HOUR, MINUTE, SECOND, fromWall } from "./zone";

const zone = new Zone("Asia/Shanghai");
const now = Date.UTC(2026, 10, 21, 2, 42, 7); // 2026-11-21 10:42:07 in Shanghai, a Saturday
const at = (text: string): number => Date.parse(`${text}+08:00`);

function span(text: string): [number, number, boolean] {
  const range = parseRange(text, now, zone);
  if (!range) throw new Error(`${text} is not understood`);
  const { start_ms, end_ms, live } = resolve(range, now, zone);
  return [start_ms, end_ms, live];
}

describe("sliding ranges", () => {
  it.each([
    ["8h", 8 * HOUR],
    ["8 h", 8 * HOUR],
    ["last 8 hours", 8 * HOUR],
    ["last hour", HOUR],
    ["30min", 30 * MINUTE],
    ["30 m", 30 * MINUTE],
    ["1h30m", 90 * MINUTE],
    ["1.5 h", 90 * MINUTE],
    ["90s", 90 * SECOND],
    ["250ms", 250],
    ["7d", 7 * DAY],
    ["2 weeks", 14 * DAY],
    ["6 months", 180 * DAY],
    ["1y", 365 * DAY],
    ["8小时", 8 * HOUR],
    ["最近 8 小时", 8 * HOUR],
    ["过去７天", 7 * DAY],
    ["半小时", 30 * MINUTE],
    ["1小时30分钟", 90 * MINUTE],
    ["3个月", 90 * DAY],
    ["两天", null],
    ["8", null],
    ["h", null],
    ["100y", null],
    ["8 parsecs", null],
  ])("%s", (text, length) => {
    const range = parseRange(text, now, zone);
    expect(range?.kind === "sliding" ? range.span_ms : null).toBe(length);
  });
});

describe("growing ranges", () => {
  it.each([
    ["since 06:00", at("2026-11-21T06:00:00")],
    ["从06:00起", at("2026-11-21T06:00:00")],
    ["06:00至今", at("2026-11-21T06:00:00")],
    ["自昨天 22:30", at("2026-11-20T22:30:00")],
    ["since yesterday 6:00", at("2026-11-20T06:00:00")],
    ["since yesterday", at("2026-11-20T00:00:00")],
    ["since 12:00", at("2026-11-20T12:00:00")],
    ["since 3/1 06:00", at("2026-03-01T06:00:00")],
    ["从3月1日6点起", at("2026-03-01T06:00:00")],
    ["today", at("2026-11-21T00:00:00")],
    ["今天", at("2026-11-21T00:00:00")],
    ["this week", at("2026-11-16T00:00:00")],
    ["本月", at("2026-11-01T00:00:00")],
    ["shift", at("2026-11-21T06:00:00")],
    ["班次", at("2026-11-21T06:00:00")],
  ])("%s", (text, start) => expect(span(text)).toEqual([start, now, true]));
});

describe("fixed ranges", () => {
  it.each([
    ["yesterday", "2026-11-20T00:00:00", "2026-11-21T00:00:00"],
    ["昨天", "2026-11-20T00:00:00", "2026-11-21T00:00:00"],
    ["前天", "2026-11-19T00:00:00", "2026-11-20T00:00:00"],
    ["last week", "2026-11-09T00:00:00", "2026-11-16T00:00:00"],
    ["上月", "2026-10-01T00:00:00", "2026-11-01T00:00:00"],
    ["last shift", "2026-11-20T22:00:00", "2026-11-21T06:00:00"],
    ["上一班", "2026-11-20T22:00:00", "2026-11-21T06:00:00"],
    ["3/1 06:00 - 14:00", "2026-03-01T06:00:00", "2026-03-01T14:00:00"],
    ["3月1日 06:00－14:00", "2026-03-01T06:00:00", "2026-03-01T14:00:00"],
    ["3月1日6点至14点半", "2026-03-01T06:00:00", "2026-03-01T14:30:00"],
    ["12/24", "2025-12-24T00:00:00", "2025-12-25T00:00:00"],
    ["2026-03-01", "2026-03-01T00:00:00", "2026-03-02T00:00:00"],
    ["2026-03-01 - 2026-03-03", "2026-03-01T00:00:00", "2026-03-04T00:00:00"],
    ["2026-03-01 06:00:30 - 2026-03-02 08:00", "2026-03-01T06:00:30", "2026-03-02T08:00:00"],
    ["2026-03-01T06:00 .. 2026-03-01T07:00", "2026-03-01T06:00:00", "2026-03-01T07:00:00"],
    ["昨天 06:00 到 昨天 14:00", "2026-11-20T06:00:00", "2026-11-20T14:00:00"],
    ["yesterday 22:00 - 06:00", "2026-11-20T22:00:00", "2026-11-21T06:00:00"],
    ["06:00 - 08:00", "2026-11-21T06:00:00", "2026-11-21T08:00:00"],
  ])("%s", (text, start, end) => expect(span(text)).toEqual([at(start), at(end), false]));

  it.each(["", "tomorrow-ish", "2026-02-30", "25:00 - 26:00", "3/1 14:61 - 15:00", "06:00", "- -", "2026-03-02 - 2026-03-01"])(
    "refuses %s",
    (text) => expect(parseRange(text, now, zone)).toBeNull(),
  );
});

it("writes a parameter that reads back as the same range", () => {
  const ranges: Range[] = [
    { kind: "sliding", span_ms: 8 * HOUR },
    { kind: "sliding", span_ms: 90 * MINUTE },
    { kind: "sliding", span_ms: 180 * DAY },
    { kind: "sliding", span_ms: 1234 },
    { kind: "since", day: 0, minute: 360 },
    { kind: "since", day: -1, minute: 1350 },
    { kind: "since", day: -2, minute: 0 },
    { kind: "growing", start_ms: at("2026-03-01T06:00:00") },
    { kind: "named", name: "day-before-yesterday" },
    { kind: "named", name: "this-month" },
    { kind: "fixed", start_ms: now - HOUR, end_ms: now },
  ];
  for (const range of ranges) expect(parseRange(rangeParam(range), now, zone), rangeParam(range)).toEqual(range);
});

it("says lengths in both languages", () => {
  expect(slidingWords(8 * HOUR, "en")).toBe("8 h");
  expect(slidingWords(180 * DAY, "zh")).toBe("6个月");
  expect(slidingWords(30 * DAY, "en")).toBe("30 d");
  expect(slidingWords(7 * DAY, "en")).toBe("7 d");
  expect(spanWords(40 * SECOND, "en")).toBe("40 s");
  expect(spanWords(2 * MINUTE, "zh")).toBe("2分钟");
  expect(spanWords(9 * MINUTE + 1, "en")).toBe("9 min");
  expect(spanWords(20_571, "en")).toBe("21 s");
  expect(spanWords(1_852, "en")).toBe("1852 ms");
});

it("normalises full-width forms", () => {
  expect(normalise("３／１　０６：００～１４：００")).toBe("3/1 06:00-14:00");
});

describe("moving", () => {
  const view = { start_ms: now - 2 * HOUR, end_ms: now - HOUR };
  it("zooms around an instant", () => {
    expect(zoomed(view, 0.5, view.start_ms, null, now)).toEqual({ start_ms: view.start_ms, end_ms: view.start_ms + HOUR / 2 });
  });
  it("zooms out to what is kept and no further", () => {
    const oldest = now - 3 * HOUR;
    expect(zoomed(view, 100, now - 1.5 * HOUR, oldest, now)).toEqual({ start_ms: oldest, end_ms: now });
  });
  it("does not pan past now or the oldest sample", () => {
    expect(panned(view, 5, null, now).end_ms).toBe(now);
    expect(panned(view, -5, now - 3 * HOUR, now).start_ms).toBe(now - 3 * HOUR);
  });
});

it("keeps midnight where the clock changes", () => {
  const berlin = new Zone("Europe/Berlin");
  const morning = Date.UTC(2026, 9, 25, 9);
  const range = parseRange("today", morning, berlin);
  expect(range && resolve(range, morning, berlin).start_ms).toBe(Date.UTC(2026, 9, 24, 22));
  expect(fromWall(Date.UTC(2026, 9, 25, 2, 30), berlin)).toBe(Date.UTC(2026, 9, 25, 0, 30));
});

describe("the range of a young tag", () => {
  it("is one that it fills", () => {
    expect(youngRange(-40_000, 0)).toEqual({ kind: "sliding", span_ms: 60_000 });
    expect(youngRange(-10 * 60_000, 0)).toEqual({ kind: "sliding", span_ms: 15 * 60_000 });
    expect(youngRange(-2 * 3_600_000, 0)).toBeNull();
    expect(youngRange(-Infinity, 0)).toBeNull();
  });
});
