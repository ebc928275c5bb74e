import { describe, expect, it } from "vitest";
import type { Asset } from "../types";
import { exampleOf } from "./LimitFields";
import { flatten } from "./tree";

const asset = (id: string, child_count = 0) => ({ id, child_count }) as Asset;

describe("the flat tree", () => {
  const branches = new Map([
    ["root", { children: [asset("site", 2)], total: 1 }],
    ["site", { children: [asset("a", 450), asset("b")], total: 2 }],
    ["a", { children: [asset("a1"), asset("a2")], total: 450 }],
  ]);
  const shape = (open: string[]) => flatten(branches, new Set(open)).map((row) => (row.type === "asset" ? `${row.depth} ${row.asset.id}` : `${row.depth} +${row.left}`));

  it("holds opened branches in place and counts what is not fetched", () => {
    expect(shape([])).toEqual(["0 site"]);
    expect(shape(["site", "a"])).toEqual(["0 site", "1 a", "2 a1", "2 a2", "2 +448", "1 b"]);
  });

  it("shows nothing below a branch that is open but not here yet", () => {
    expect(shape(["site", "b"])).toEqual(["0 site", "1 a", "1 b"]);
  });
});

describe("the example of an expression", () => {
  const tag = { name: "PI-904", path: "firm/site/unit/PI-904", kind: "float64", high: 16, low: 0, unit: "bar" } as const;

  it("is about the tag itself, in its unit, and names no other", () => {
    expect(exampleOf(tag)).toBe("abs(PI-904) > 16 bar");
    expect(exampleOf({ ...tag, name: "9 PI", path: "firm/9 PI", high: null, low: null, unit: "1" })).toBe('abs("firm/9 PI") > 75');
    expect(exampleOf({ ...tag, kind: "boolean" })).toBe("not PI-904");
  });
});
