import { describe, expect, it } from "vitest";
import { colourSlots, lanesOf } from "./lanes";
import { leadOf } from "./useHistory";

const tag = (number: number, unit: string, kind = "float64"): { tag: number; unit: string; kind: string } => ({ tag: number, unit, kind });

describe("lanes", () => {
  it("hold one unit each, states apart, text nowhere", () => {
    const lanes = lanesOf([tag(1, "Cel"), tag(2, "MPa"), tag(3, "Cel"), tag(4, "1", "enumeration"), tag(5, "", "text")], "unit");
    expect(lanes.map(({ tags }) => tags)).toEqual([[1, 3], [2], [4]]);
    expect(lanes.map(({ states }) => states)).toEqual([false, false, true]);
  });
  it("hold all states in one lane below, a row each, however few lanes there are", () => {
    const tags = [tag(1, "1", "boolean"), tag(2, "Cel"), tag(3, "MPa"), tag(4, "1", "enumeration")];
    expect(lanesOf(tags, "unit", 1).map((lane) => [lane.tags, lane.states])).toEqual([
      [[2, 3], false],
      [[1, 4], true],
    ]);
    expect(lanesOf(tags, "overlay").map((lane) => lane.states)).toEqual([false]);
  });
  it("overlay on scales of their own, two with an axis", () => {
    const [lane] = lanesOf([tag(1, "Cel"), tag(2, "MPa"), tag(3, "Cel"), tag(4, "kW")], "overlay");
    expect(lane?.scales.map(({ side, tags }) => [side, tags])).toEqual([
      ["left", [1, 3]],
      ["right", [2]],
      ["own", [4]],
    ]);
  });
  it("put what is beyond the last lane into it", () => {
    const lanes = lanesOf(Array.from({ length: 10 }, (_, index) => tag(index, `u${index}`)), "unit");
    expect(lanes).toHaveLength(8);
    expect(lanes[7]?.tags).toEqual([7, 8, 9]);
  });
  it("can be one on a phone", () => {
    expect(lanesOf([tag(1, "Cel"), tag(2, "MPa")], "unit", 1)).toHaveLength(1);
  });
});

it("keeps a tag's colour while others come and go", () => {
  const first = colourSlots([17, 18, 19], new Map());
  const second = colourSlots([17, 19, 20], first);
  expect([second.get(17), second.get(19), second.get(20)]).toEqual([0, 2, 1]);
  expect([...colourSlots([18, 20], new Map([...first, ...second])).values()]).toEqual([1, 0]);
});

it("reads far enough before the picture that a state holds at its edge", () => {
  const tagOf = (kind: "boolean" | "float64", connection: string | null = "c") => ({ kind, scan_ms: 1000, silence_max_ms: 60_000, connection });
  expect(leadOf([tagOf("float64")], 300_000)).toBe(0);
  expect(leadOf([tagOf("float64"), tagOf("boolean")], 300_000)).toBe(90_000);
  expect(leadOf([tagOf("boolean", null)], 8 * 3_600_000)).toBe(2 * 3_600_000);
});
