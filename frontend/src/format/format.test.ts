import { describe, expect, it } from "vitest";
import { formatBytes, formatNumber, widthOf } from "./number";
import { ageText, elapsed, shortAge, Zone } from "./time";

describe("formatNumber", () => {
  it.each([
    [72.4, 1, "72.4"],
    [2.9, 3, "2.900"],
    [-0.04, 1, "0.0"],
    [-5, 0, "\u22125"],
    [9999.5, 1, "9999.5"],
    [10000, 0, "10,000"],
    [1234567.891, 2, "1,234,567.89"],
    [12_345_678, 0, "12,345,678"],
    [0, null, "0"],
    [3.14159, null, "3.142"],
    [1234.5, null, "1235"],
    [0.012345, null, "0.01235"],
    [0.00001234, null, "1.234e\u22125"],
    [1.5e10, null, "1.500e10"],
    [1e308, 2, "1.000e308"],
    [Number.NaN, 2, "NaN"],
    [-Infinity, 2, "\u2212∞"],
  ])("%s with %s decimals is %s", (value, decimals, text) => {
    expect(formatNumber(value, decimals)).toBe(text);
  });

  it("keeps a cell as wide as the widest value of the range", () => {
    expect(widthOf(-20, 150, 1)).toBe(6);
    expect(widthOf(0, 100_000, 2)).toBe("100,000.00".length);
    expect(widthOf(null, null, 2)).toBe(9);
  });

  it("writes sizes with three digits", () => {
    expect(formatBytes(999)).toBe("999 B");
    expect(formatBytes(3.4e9)).toBe("3.40 GB");
  });
});

describe("Zone", () => {
  const shanghai = new Zone("Asia/Shanghai");
  const berlin = new Zone("Europe/Berlin");

  it("agrees with Intl over years, changes of clock included", () => {
    const clock = new Intl.DateTimeFormat("sv-SE", { timeZone: "Europe/Berlin", dateStyle: "short", timeStyle: "medium" });
    for (let ms = Date.UTC(2024, 0, 1); ms < Date.UTC(2027, 0, 1); ms += 5 * 3_600_000 + 123_000) {
      expect(berlin.full(ms)).toBe(clock.format(ms));
    }
  });

  it("knows the moment the clocks change to the second", () => {
    const spring = Date.UTC(2026, 2, 29, 1);
    expect(berlin.full(spring - 1000)).toBe("2026-03-29 01:59:59");
    expect(berlin.full(spring)).toBe("2026-03-29 03:00:00");
    expect(berlin.offsetText(spring - 1)).toBe("+01");
    expect(berlin.offsetText(spring)).toBe("+02");
  });

  it("finds the instant of a wall-clock time: the first of a repeated hour, after a skipped one", () => {
    expect(shanghai.instant(2026, 11, 21, 10, 42, 7)).toBe(Date.UTC(2026, 10, 21, 2, 42, 7));
    expect(berlin.instant(2026, 10, 25, 2, 30)).toBe(Date.UTC(2026, 9, 25, 0, 30));
    expect(berlin.full(berlin.instant(2026, 3, 29, 2, 30))).toBe("2026-03-29 03:30:00");
    expect(berlin.full(berlin.instant(2026, 7, 1, 12))).toBe("2026-07-01 12:00:00");
  });

  it("writes offsets of half hours and times before 1970", () => {
    expect(new Zone("Asia/Kolkata").offsetText(0)).toBe("+05:30");
    expect(new Zone("UTC").full(-1000)).toBe("1969-12-31 23:59:59");
  });
});

describe("ages", () => {
  const zone = new Zone("Asia/Shanghai");
  const now = Date.UTC(2026, 10, 21, 2, 42, 7);

  it("are relative under an hour and absolute from then on", () => {
    expect(shortAge(400)).toBe("0.4 s");
    expect(shortAge(-300)).toBe("0.0 s");
    expect(shortAge(42_900)).toBe("42 s");
    expect(shortAge(300_000)).toBe("5 min");
    expect(shortAge(3_600_000)).toBeNull();
    expect(ageText(now - 2 * 3_600_000, now, zone)).toBe("08:42");
    expect(ageText(now - 30 * 3_600_000, now, zone)).toBe("2026-11-20 04:42");
  });

  it("count minutes, hours and days of a standing alarm", () => {
    expect(elapsed(42_000)).toBe("00:42");
    expect(elapsed(4_022_000)).toBe("1:07:02");
    expect(elapsed(50 * 3_600_000)).toBe("2 d 2 h");
  });
});
