import { describe, expect, it, vi } from "vitest";
import type { Alarm, AlarmTransition } from "../types";
import { inHeldOrder } from "./order";
import { AlarmStore, byUrgency, countAlarms } from "./store";
import { floodOf } from "./flood-areas";
import { valueAndLimit } from "./text";

const alarm = (id: string, change: Partial<Alarm> = {}): Alarm => ({
  alarm: id,
  tag: 1,
  tag_id: "t",
  tag_name: "PIC-101",
  path: "plant/area/unit/PIC-101", place: { en: "Unit", zh: "装置" },
  asset: "a",
  unit: "MPa",
  decimals: 3,
  replayed: false,
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

describe("the feed", () => {
  it("changes the state of an alarm and keeps the value that raised it", () => {
    vi.useFakeTimers();
    const store = new AlarmStore();
    const told = (change: Partial<Alarm>, transition: AlarmTransition) => {
      store.hear({ ...alarm("a", change), transition });
      vi.runAllTimers();
      return store.current().alarms.map(({ state, value }) => [state, value]);
    };
    expect(told({ value: 120.6 }, "raised")).toEqual([["active-unacknowledged", 120.6]]);
    expect(told({ value: 120.4, state: "cleared-unacknowledged" }, "cleared")).toEqual([["cleared-unacknowledged", 120.6]]);
    expect(told({ value: 121.2, raised_ms: 2000 }, "raised")).toEqual([["active-unacknowledged", 121.2]]);
    vi.useRealTimers();
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
  });
});

describe("a flood", () => {
  const at = (id: string, raised_ms: number, area: string, change: Partial<Alarm> = {}) =>
    alarm(id, { raised_ms, path: `firm/site/${area}/unit/${id}`, ...change });

  it("begins with ten alarms in ten minutes, by area, first-out on top, low ones counted", () => {
    const now = 1_000_000;
    const few = Array.from({ length: 9 }, (_, n) => at(`n${n}`, now - n, "b"));
    expect(floodOf([...few, at("old", now - 600_001, "b")], now)).toBeNull();
    const found = floodOf([...few, at("first", now - 500, "a"), at("low", now - 400, "a", { priority: "low" })], now);
    expect(found?.count).toBe(11);
    expect(found?.areas.map(({ area, alarms, low }) => [area, alarms[0]?.alarm, alarms.length, low])).toEqual([
      ["firm/site/a", "first", 1, 1],
      ["firm/site/b", "n8", 9, 0],
    ]);
    const some = floodOf(few.concat(at("one", now, "a")), now, few.slice(0, 2));
    expect([some?.count, some?.areas.map(({ alarms }) => alarms.length)]).toEqual([10, [2]]);
  });
});

describe("values of other conditions", () => {
  it("say the rate with its time, and of a state the value alone", () => {
    expect(valueAndLimit(alarm("a", { condition: "rate", per: "minute", value: 4.5, limit: 3, unit: "°C" }))).toBe("4.500 / 3.000 °C/min");
    expect(valueAndLimit(alarm("a", { condition: "state", value: 2, unit: "", decimals: 0 }))).toBe("2");
    expect(valueAndLimit(alarm("a", { condition: "expression", value: null }))).toBe("-");
    const words = { "2": { en: "Stopped", zh: "停止" } };
    expect(valueAndLimit(alarm("a", { condition: "state", value: 2, words }), (said) => said.zh)).toBe("停止");
  });
});
