import { describe, expect, it } from "vitest";
import { palettes, stateColours } from "../theme/tokens";
import type { Tag } from "../types";
import type { Cell, TrendSeries } from "./columns";
import { stateLook, stateSpans } from "./states";

const pace = { discrete: true, scan_ms: 1000, silence_max_ms: 20_000 };
/** Buckets of ten seconds: when, what first, lowest, highest and last, and whether the last one was good. */
function series(...buckets: [at_s: number, states: Cell[], held?: number][]): TrendSeries {
  const of = (pick: (states: number[]) => number) => buckets.map(([, states]) => (states[0] === null ? null : pick(states as number[])));
  return {
    tag: 1,
    time: buckets.map(([at_s]) => at_s * 1000),
    first: of((states) => states[0] ?? 0),
    min: of((states) => Math.min(...states)),
    max: of((states) => Math.max(...states)),
    last: of((states) => states.at(-1) ?? 0),
    mean: buckets.map(() => null),
    good: buckets.map(([, , held = 1]) => held),
    bad: buckets.map(() => 0),
    held: buckets.map(([, , held = 1]) => held),
  };
}
const spans = (given: TrendSeries, until_s: number) => stateSpans(given, 10_000, pace, until_s * 1000).map(({ value, start_ms, end_ms }) => [value, start_ms / 1000, end_ms / 1000]);

describe("states over time", () => {
  it("hold until the next one, equal ones are one", () => {
    expect(spans(series([0, [1]], [10, [1]], [30, [1, 2]]), 50)).toEqual([
      [1, 0, 30],
      [2, 30, 50],
    ]);
  });
  it("end with contact, and after a silence longer than the tag ever is silent", () => {
    expect(spans(series([0, [1]], [100, [1], 0], [130, [2]]), 140)).toEqual([
      [1, 0, 10],
      [1, 100, 110],
      [2, 130, 140],
    ]);
  });
  it("of which several came within one bucket are told as several, never as the last one", () => {
    expect(spans(series([0, [1]], [10, [1, 3, 1]], [20, [1]]), 30)).toEqual([
      [1, 0, 10],
      [null, 10, 20],
      [1, 20, 30],
    ]);
  });
  it("are not made up where only bad samples came", () => {
    expect(spans(series([0, [null], 0], [10, [2]]), 12)).toEqual([[2, 10, 12]]);
  });
});

const tagOf = (words: Record<string, string>, kind = "enumeration") => ({ kind, words: Object.fromEntries(Object.entries(words).map(([value, en]) => [value, { en, zh: "" }])) }) as unknown as Tag;

describe("how states look", () => {
  it("is as states of equipment where their words say so", () => {
    const pump = tagOf({ 0: "Stopped", 1: "running", 2: "fault", 3: "primed" });
    expect([0, 1, 2].map((value) => stateLook(pump, value, "light").sign)).toEqual(["S", "R", "F"]);
    expect(stateLook(pump, 2, "dark")).toEqual({ fill: stateColours.fault.timeline.dark, pattern: "hatch", sign: "F" });
    expect(stateLook(pump, 3, "light").sign).toBe("");
  });
  it("differs by more than colour, also where two words mean the same state", () => {
    const tag = tagOf({ 0: "stopped", 1: "stop", 2: "opened", 3: "closed", 4: "moving" });
    const looks = [0, 1, 2, 3, 4].map((value) => stateLook(tag, value, "light"));
    expect(new Set(looks.map(({ fill, pattern }) => `${fill} ${pattern}`)).size).toBe(5);
    expect(looks.map(({ pattern }) => pattern === "plain")).toEqual([true, false, false, false, false]);
  });
  it("needs no words: a yes is filled, a no is empty, and several are neither", () => {
    const flag = { kind: "boolean", words: null } as unknown as Tag;
    expect([0, 1].map((value) => stateLook(flag, value, "light").pattern)).toEqual(["empty", "plain"]);
    expect(stateLook(flag, null, "light").fill).toBe(palettes.light.container);
  });
});
