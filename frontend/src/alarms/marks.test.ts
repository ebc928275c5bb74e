import { describe, expect, it } from "vitest";
import type { Alarm } from "../types";
import { marksOf } from "./marks";
import { shiftEndAt } from "./WorkDialog";

const MINUTE = 60_000;
const NOW = Date.UTC(2026, 10, 21, 12);
const alarm = (id: string, minutes: number, path = "e/site/area/u/T", state = "active-unacknowledged") =>
  ({ alarm: id, path, state, raised_ms: NOW - minutes * MINUTE }) as Alarm;
const marks = (alarms: Alarm[], chattering: string[] = []) => Object.fromEntries(marksOf(alarms, new Set(chattering), NOW));

describe("marks of alarms", () => {
  it("tell the first of those that followed each other in one area", () => {
    expect(marks([alarm("c", 1), alarm("a", 15), alarm("b", 8)])).toEqual({ a: ["firstOut"] });
    expect(marks([alarm("a", 15), alarm("b", 4)])).toEqual({});
    expect(marks([alarm("a", 3), alarm("b", 2, "e/site/other/u/T")])).toEqual({});
    // Each avalanche has its own first.
    expect(marks([alarm("a", 60), alarm("b", 55), alarm("c", 20), alarm("d", 19)])).toEqual({ a: ["firstOut"], c: ["firstOut"] });
  });
  it("tell what stands for over a day and what chatters", () => {
    expect(marks([alarm("a", 1441), alarm("b", 1439, "e/site/other/u/T"), alarm("c", 2000, undefined, "cleared-unacknowledged")], ["b"])).toEqual({
      a: ["standingMark"],
      b: ["chatteringMark"],
    });
  });
});

it("finds the end of the shift by the calendar of the alarm's own site", () => {
  const shanghai = { offsetMs: () => 8 * 3_600_000, shifts: [] };
  const calendars = [{ path: "e/site", starts: ["06:00", "14:00", "22:00"] }];
  // 20:00 in the plant.
  expect(shiftEndAt("e/site/area/u/T", calendars, NOW, shanghai)).toBe(Date.UTC(2026, 10, 21, 14));
  expect(shiftEndAt("e/other/T", calendars, NOW, shanghai)).toBeNull();
});
