import { describe, expect, it } from "vitest";
import { differences, valueAt } from "./conflict";

const BEFORE = { name: { en: "Pump", zh: "泵" }, low: 0, high: 10, note: null, version: 1 };
const PATHS = [["name", "en"], ["name", "zh"], ["low"], ["high"], ["note"], ["username"]];

describe("two people on one record", () => {
  it("asks about what both changed and takes what only the other changed", () => {
    const mine = { ...BEFORE, name: { en: "Mine", zh: "泵" }, high: 20 };
    const now = { ...BEFORE, name: { en: "Theirs", zh: "他人" }, version: 2 };
    const { both, theirs } = differences(PATHS, BEFORE, mine, now);
    expect(both).toEqual([{ path: ["name", "en"], before: "Pump", mine: "Mine", theirs: "Theirs" }]);
    expect(theirs).toEqual([{ path: ["name", "zh"], before: "泵", mine: "泵", theirs: "他人" }]);
  });

  it("has nothing to ask where both entered the same, or the other changed what is not in the form", () => {
    const mine = { ...BEFORE, low: 5 };
    expect(differences(PATHS, BEFORE, mine, { ...mine, version: 2, hidden: 1 })).toEqual({ both: [], theirs: [] });
  });

  it("tells nothing from an empty field, and zero from nothing", () => {
    expect(differences([["note"]], BEFORE, { note: "" }, BEFORE)).toEqual({ both: [], theirs: [] });
    expect(differences([["low"]], BEFORE, { low: null }, { low: 3 }).both).toHaveLength(1);
  });

  it("reads below what is missing as nothing", () => {
    expect(valueAt({ policy: null }, ["policy", "role"])).toBeUndefined();
  });
});
