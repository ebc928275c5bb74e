import { describe, expect, it } from "vitest";
import { shiftAt, shiftsAt, shiftsOfPlant, USUAL_SHIFTS } from "./shifts";

const HOUR = 3_600_000;
const day = Date.UTC(2026, 10, 21);
const calendars = [
  { path: "works/north", starts: ["07:30", "19:30"] },
  { path: "works/south", starts: ["00:00"] },
];

describe("shifts", () => {
  it("are found by the site above a path", () => {
    expect(shiftsAt("works/north/line/T1", calendars)).toEqual([7.5 * HOUR, 19.5 * HOUR]);
    expect(shiftsAt("works/northern/T1", calendars)).toBeNull();
    expect(shiftsOfPlant(calendars)).toEqual([7.5 * HOUR, 19.5 * HOUR]);
    expect(shiftsOfPlant([])).toBe(USUAL_SHIFTS);
  });
  it("begin and end on the wall clock, also over midnight", () => {
    const north = shiftsAt("works/north", calendars) ?? [];
    expect(shiftAt(day + 8 * HOUR, north)).toEqual({ start: day + 7.5 * HOUR, end: day + 19.5 * HOUR });
    expect(shiftAt(day + 3 * HOUR, north)).toEqual({ start: day - 4.5 * HOUR, end: day + 7.5 * HOUR });
    expect(shiftAt(day + 7.5 * HOUR, north).start).toBe(day + 7.5 * HOUR);
    expect(shiftAt(day + 23 * HOUR, [0])).toEqual({ start: day, end: day + 24 * HOUR });
  });
});
