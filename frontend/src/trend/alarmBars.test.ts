import { expect, it } from "vitest";
import type { Alarm, AlarmEvent } from "../types";
import { barsOf, placed } from "./alarmBars";

const span = { start_ms: 1000, end_ms: 2000 };
const name = { en: "R-101 pressure HH", zh: "R-101 压力高高" };
const event = (alarm: string, transition: AlarmEvent["transition"], time_ms: number, raised_ms: number): AlarmEvent => ({
  id: `${alarm}-${time_ms}`,
  alarm,
  tag: 17,
  condition: "HH",
  priority: alarm === "a" ? "critical" : "low",
  transition,
  state: transition === "raised" ? "active-unacknowledged" : transition === "acknowledged" ? "active-acknowledged" : "normal",
  time_ms,
  raised_ms,
  value: 3,
  limit: 2.9,
  by: "",
  comment: "",
  name,
  tag_name: "PIC-101",
  path: "", place: { en: "Unit", zh: "装置" },
  unit: "MPa",
  decimals: 3,
  replayed: false,
});

it("makes one bar of raise, acknowledge and clear, also when the raise was before the span", () => {
  const events = [event("a", "cleared", 1500, 500), event("a", "acknowledged", 1200, 500), event("b", "raised", 1800, 1800)];
  const bars = barsOf(events, [], span);
  expect(bars.map(({ start_ms, end_ms, state }) => [start_ms, end_ms, state])).toEqual([
    [500, 1500, "normal"],
    [1800, null, "active-unacknowledged"],
  ]);
});

it("takes in alarms that stand since before the span", () => {
  const active = { ...event("a", "raised", 500, 500), tag_id: "", asset: null, changed_ms: 500, acknowledged_by: "", consequence: null, response: null };
  expect(barsOf([], [active as Alarm], span)).toHaveLength(1);
  expect(barsOf([], [{ ...active, state: "cleared-unacknowledged", changed_ms: 900 } as Alarm], span)).toHaveLength(0);
});

it("leaves out what ended before the span and was acknowledged within it", () => {
  const late = { ...event("a", "acknowledged", 1200, 500), state: "normal" as const };
  expect(barsOf([late], [], span)).toEqual([]);
  expect(barsOf([event("a", "cleared", 1100, 500), late], [], span).map(({ end_ms }) => end_ms)).toEqual([1100]);
});

it("stacks bars that overlap and counts what finds no place, the least urgent first", () => {
  const events = ["b", "c", "d", "a"].map((alarm, index) => event(alarm, "raised", 1100 + index, 1100 + index));
  const { placed: drawn, hidden } = placed(barsOf(events, [], span), span, 1000, 16);
  expect(drawn.map(({ bar, track }) => [bar.key.slice(0, 1), track])).toEqual([
    ["b", 1],
    ["a", 0],
  ]);
  expect(hidden).toBe(2);
});

it("puts alarms that follow each other into one row, inside the picture", () => {
  const events = [event("a", "cleared", 1200, 500), event("a", "raised", 1999, 1999)];
  const { placed: drawn } = placed(barsOf(events, [], span), span, 1000, 16);
  expect(drawn.map(({ from, until, track }) => [from, until, track])).toEqual([
    [0, 200, 0],
    [984, 1000, 0],
  ]);
});
