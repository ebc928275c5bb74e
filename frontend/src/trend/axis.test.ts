import { describe, expect, it } from "vitest";
import { timeTicks, valueTicks } from "./axis";
import { Zone } from "../format/time";
import { DAY, HOUR, MINUTE, offsetText, spanText, stretches } from "./zone";

const shanghai = new Zone("Asia/Shanghai");
const berlin = new Zone("Europe/Berlin");

describe("time ticks", () => {
  it("stand on whole hours of the plant, with the date below the first of each day", () => {
    const start = Date.UTC(2026, 10, 20, 14);
    const labels = timeTicks(start, start + 8 * HOUR, 10, shanghai).map(({ label }) => label);
    expect(labels).toEqual([
      "22:00\n2026-11-20",
      "23:00",
      "00:00\n2026-11-21",
      "01:00",
      "02:00",
      "03:00",
      "04:00",
      "05:00",
    ]);
  });
  it("use half hours of a zone of half hours", () => {
    const start = Date.UTC(2026, 0, 1, 0, 30);
    expect(timeTicks(start, start + 3 * HOUR, 4, new Zone("Asia/Kolkata")).map(({ label }) => label)[0]).toBe("06:00\n2026-01-01");
  });
  it("stand at midnight on both sides of a clock change", () => {
    const start = Date.UTC(2026, 9, 23, 22);
    const ticks = timeTicks(start, start + 4 * DAY, 5, berlin);
    expect(ticks.map(({ label }) => label)).toEqual(["2026-10-24", "10-25", "10-26", "10-27"]);
    expect(ticks[2]?.at_ms).toBe(Date.UTC(2026, 9, 25, 23));
  });
  it("tell a repeated hour by its offset", () => {
    const start = Date.UTC(2026, 9, 24, 23);
    const labels = timeTicks(start, start + 4 * HOUR, 4, berlin).map(({ label }) => label);
    expect(labels).toEqual(["01:00 +02\n2026-10-25", "02:00 +02", "02:00 +01", "03:00 +01"]);
  });
  it("begin weeks on Monday and months on the first", () => {
    const start = Date.UTC(2026, 10, 1);
    expect(timeTicks(start, start + 30 * DAY, 5, new Zone("UTC"))[0]?.label).toBe("2026-11-02");
    expect(timeTicks(start, start + 200 * DAY, 8, shanghai).map(({ label }) => label).slice(0, 2)).toEqual(["2026-12", "2027-01"]);
  });
  it("never exceed their room", () => {
    for (let length = 7; length < 400 * DAY; length *= 3) {
      for (const room of [2, 6, 12]) {
        const count = timeTicks(Date.UTC(2026, 2, 1), Date.UTC(2026, 2, 1) + length, room, berlin).length;
        expect(count, `${length} ms in ${room}`).toBeLessThanOrEqual(room + 2);
      }
    }
  });
});

describe("zone", () => {
  it("cuts a range where the offset changes", () => {
    const parts = stretches(Date.UTC(2026, 0, 1), Date.UTC(2027, 0, 1), berlin);
    expect(parts.map(({ offset_ms }) => offset_ms / HOUR)).toEqual([1, 2, 1]);
    expect(parts[0]?.end_ms).toBe(Date.UTC(2026, 2, 29, 1));
  });
  it("writes spans as short as unmistakable", () => {
    const now = Date.UTC(2026, 10, 21, 2, 42);
    expect(spanText(now - 8 * HOUR, now, now, shanghai)).toBe("11-21 02:42 - 10:42 +08");
    expect(spanText(now - 400 * DAY, now, now, shanghai)).toBe("2025-10-17 10:42 - 2026-11-21 10:42 +08");
    expect(spanText(now - MINUTE, now, now, shanghai)).toBe("11-21 10:41:00.000 - 10:42:00.000 +08");
    expect(offsetText(-12_600_000)).toBe("-03:30");
  });
});

describe("value ticks", () => {
  it("are round", () => {
    expect(valueTicks(0.13, 3.1, 4)).toEqual([1, 2, 3]);
    expect(valueTicks(-0.3, 0.3, 7)).toEqual([-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]);
    expect(valueTicks(1e6, 1.2e6, 5)).toEqual([1e6, 1.05e6, 1.1e6, 1.15e6, 1.2e6]);
  });
  it("survive odd scales", () => {
    expect(valueTicks(5, 5, 4)).toEqual([5]);
    expect(valueTicks(-1e308, 1e308, 4).length).toBeLessThanOrEqual(100);
  });
});
