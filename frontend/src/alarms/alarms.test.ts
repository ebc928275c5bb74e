import { describe, expect, it } from "vitest";
import type { Alarm } from "../types";
import { inHeldOrder } from "./order";
import { byUrgency, countAlarms } from "./store";
import { placeOfPath, valueAndLimit } from "./text";

const alarm = (id: string, change: Partial<Alarm> = {}): Alarm => ({
  alarm: id,
  tag: 1,
  tag_id: "t",
  tag_name: "PIC-101",
  path: "plant/area/unit/PIC-101",
  asset: "a",
  unit: "MPa",
  decimals: 3,
  condition: "HH",
  priority: "high",
  state: "active-unacknowledged",
  raised_ms: 1000,
  changed_ms: 1000,
  value: 2.914,
  limit: 2.9,
  acknowledged_by: "",
  comment: "",
  name: { en: id, zh: id },
  consequence: null,
  response: null,
  ...change,
});

describe("the order of alarms", () => {
  it("is unacknowledged, priority, newest", () => {
    const list = [
      alarm("acknowledged", { state: "active-acknowledged", priority: "critical" }),
      alarm("old", { raised_ms: 1 }),
      alarm("low", { priority: "low", raised_ms: 9000 }),
      alarm("new", { raised_ms: 5000 }),
      alarm("critical", { priority: "critical" }),
    ];
    expect(list.sort(byUrgency).map((each) => each.alarm)).toEqual(["critical", "new", "old", "low", "acknowledged"]);
  });

  it("stays while it is held: states change in place, what is gone shows as cleared, newcomers wait", () => {
    const before = [alarm("a"), alarm("b"), alarm("c")];
    const held = { order: ["a", "b", "c"], rows: new Map(before.map((each) => [each.alarm, each])) };
    const now = [alarm("new", { priority: "critical" }), alarm("c"), alarm("a", { state: "active-acknowledged" })];
    const shown = inHeldOrder(held, now);
    expect(shown.map((each) => [each.alarm, each.state])).toEqual([
      ["a", "active-acknowledged"],
      ["b", "normal"],
      ["c", "active-unacknowledged"],
    ]);
  });
});

describe("counts and text", () => {
  it("count by priority, unacknowledged apart", () => {
    const counts = countAlarms([alarm("a"), alarm("b", { state: "active-acknowledged" }), alarm("c", { state: "cleared-unacknowledged" })]);
    expect(counts.high).toEqual({ unacknowledged: 2, total: 3 });
    expect(counts.critical).toEqual({ unacknowledged: 0, total: 0 });
  });

  it("write value and limit with the tag's decimals; staleness has neither", () => {
    expect(valueAndLimit(alarm("a"))).toBe("2.914 / 2.900 MPa");
    expect(valueAndLimit(alarm("a", { value: null }))).toBe("- / 2.900 MPa");
    expect(valueAndLimit(alarm("a", { condition: "stale" }))).toBe("-");
    expect(placeOfPath("plant/area/unit/PIC-101")).toBe("area / unit");
  });
});
