import { describe, expect, it } from "vitest";
import { differences } from "../components/conflict";
import { Zone } from "../format/time";
import { choose } from "../words/format";
import { placed } from "./faults";
import { formFields, isEmpty, listFields, sent, startOf, usualColumns } from "./fields";
import { conditionOf, conditionText, nextSort, readAsked, toQuery, writeAsked } from "./query";
import type { Kind, Schema } from "./types";
import { nameOf, wayTo } from "./use-kind";
import { exactText, type Tongue, valueText, wholeText } from "./value-text";

const words = (en: string, zh: string) => ({ en, zh });
const SCHEMA: Schema = {
  type: "object",
  required: ["number", "name"],
  $defs: {
    Sort: { type: "string", enum: ["raw", "part"] },
    Words: { type: "object", properties: { en: { type: "string" }, zh: { type: "string" } } },
    Line: { type: "object", required: ["item"], properties: { item: { type: "string", title: "Item" }, quantity: { type: "integer", minimum: 1, title: "Quantity" } } },
  },
  properties: {
    number: { type: "string", maxLength: 64, "x-control": "code", "x-words": words("Number", "编码"), "x-series": "P" },
    name: { $ref: "#/$defs/Words", "x-control": "words", "x-words": words("Name", "名称") },
    sort: { $ref: "#/$defs/Sort", default: "part", "x-control": "choice", "x-words": words("Kind", "类别"), "x-choices": { part: words("Part", "零件"), raw: words("Raw", "原料") } },
    weight: { anyOf: [{ type: "number", minimum: 0 }, { type: "string" }, { type: "null" }], default: null, "x-control": "exact", "x-unit": "kg", "x-words": words("Weight", "重量") },
    maker: { anyOf: [{ type: "string", format: "uuid" }, { type: "null" }], default: null, "x-control": "link", "x-kind": "party", "x-words": words("Maker", "厂家") },
    step: { type: "integer", default: 0, readOnly: true, "x-control": "whole", "x-words": words("Step", "级别") },
    lines: { type: "array", items: { $ref: "#/$defs/Line" }, default: [], "x-control": "rows", "x-words": words("Lines", "行") },
  },
};
const KIND: Kind = {
  kind: "item", one: words("Item", "物料"), many: words("Items", "物料"), group: "material", key: ["maker", "number"], title: "number", columns: ["number", "name"], order: "number", append_only: false, schema: SCHEMA,
  states: { draft: words("Draft", "草稿") }, moves: [], view: "view", write: "configure", sources: [], linked_by: [],
};
const FIELDS = listFields(KIND);
const field = (name: string) => FIELDS.find((each) => each.name === name)!;
const TONGUE: Tongue = { t: (key, values) => `${key} ${JSON.stringify(values ?? {})}`, say: (text) => choose(text, "zh"), zone: new Zone("Asia/Shanghai"), units: [], kinds: [] };

describe("fields of a kind", () => {
  it("are read from its schema, with what it refers to", () => {
    expect(FIELDS.map(({ name, control }) => `${name} ${control}`)).toEqual(["number code", "name words", "sort choice", "weight exact", "maker link", "step whole", "lines rows", "state choice", "changed_ms moment", "created_ms moment"]);
    expect(field("sort").choices).toEqual([{ value: "raw", words: words("Raw", "原料") }, { value: "part", words: words("Part", "零件") }]);
    expect(field("weight")).toMatchObject({ nullable: true, least: 0, unit: "kg", required: false });
    expect(field("maker")).toMatchObject({ nullable: true, target: "party" });
    expect(field("lines").row.map(({ name, control, required, least }) => [name, control, required, least])).toEqual([["item", "text", true, undefined], ["quantity", "whole", false, 1]]);
  });

  it("leave out of the form what the platform works out", () => {
    expect(formFields(KIND).map(({ name }) => name)).not.toContain("step");
    expect(usualColumns(KIND)).toEqual(["number", "name", "state"]);
    expect(startOf(formFields(KIND))).toEqual({ number: null, name: null, sort: "part", weight: null, maker: null, lines: [] });
  });

  it("begin with the present moment where one is told but need not be said", () => {
    const moment = { ...field("created_ms"), name: "found_ms", nullable: false };
    expect(startOf([moment])["found_ms"]).toBeGreaterThan(Date.now() - 60_000);
    expect(startOf([{ ...moment, required: true }])).toEqual({ found_ms: null });
  });

  it("are sent as the interface takes them: null where it may be, else an empty text", () => {
    const entered = { number: undefined, name: { zh: "轴承" }, weight: "", maker: undefined, lines: [{ item: "", quantity: undefined }], other: 1 };
    expect(sent(formFields(KIND), entered)).toEqual({ number: "", name: { en: "", zh: "轴承" }, weight: null, maker: null, lines: [{ item: "", quantity: null }] });
    expect([null, "", [], { en: "", zh: "" }].every(isEmpty)).toBe(true);
    expect([0, false, "0", { en: "", zh: "x" }].some(isEmpty)).toBe(false);
  });
});

describe("what is asked of a list", () => {
  it("stands in the address and comes back from it", () => {
    const asked = { search: "6204 轴", sort: "-weight", where: [{ field: "weight", compare: "ge" as const, value: 5 }, { field: "sort", compare: "in" as const, value: ["raw", "part"] }, { field: "maker", compare: "eq" as const, value: null }], columns: ["number", "state"] };
    const params = writeAsked(new URLSearchParams("tab=history&where=old"), asked);
    expect(params.get("tab")).toBe("history");
    expect(readAsked(new URLSearchParams(params.toString()), FIELDS)).toEqual(asked);
    expect(toQuery(asked)).toEqual({ search: "6204 轴", sort: "-weight", where: '[["weight","ge",5],["sort","in",["raw","part"]],["maker","eq",null]]' });
    expect(writeAsked(params, { search: "", sort: "", where: [], columns: [] }).toString()).toBe("tab=history");
  });

  it("passes over what the kind does not know", () => {
    for (const text of ["weight", "weight ge", "weight ge five", "weight like 5", "colour eq 1", "name eq 1", "lines eq []"]) expect(conditionOf(text, FIELDS), text).toBeNull();
    const value = 'a "quoted" name\nof two lines';
    expect(conditionOf(conditionText({ field: "number", compare: "eq", value }), FIELDS)?.value).toBe(value);
    expect(readAsked(new URLSearchParams("sort=-colour&columns=a,number&where=x"), FIELDS)).toEqual({ search: "", sort: "", where: [], columns: ["number"] });
  });

  it("is sorted one way, the other, and as usual again", () => {
    expect(["", "a", "-a", "b"].map((sort) => nextSort(sort, "a"))).toEqual(["a", "-a", "", "a"]);
  });
});

describe("values in words", () => {
  it("lose no place of a number and have a unit", () => {
    expect([0, 0.000001, 12345.678901, -3].map(exactText)).toEqual(["0", "1.000e−6", "12,345.678901", "−3"]);
    expect(valueText(field("weight"), 1.25, {}, TONGUE)).toBe("1.25 kg");
    expect(valueText({ ...field("weight"), unit: "", unitIn: "money" }, 1.25, {}, TONGUE, { money: "CNY" })).toBe("1.25 CNY");
  });

  it("lead to what has a page of its own", () => {
    expect(["asset", "item", "role", "tag", "gateway"].map((kind) => wayTo(kind, "1"))).toEqual(["/plant/1", "/records/item/1", "/admin/roles/1", null, null]);
  });

  it("name choices, links, moments of the plant, and say when there is nothing", () => {
    expect(valueText(field("sort"), "raw", {}, TONGUE)).toBe("原料");
    expect(valueText(field("maker"), "7", { 7: words("ACME", "一厂") }, TONGUE)).toBe("一厂");
    expect(valueText(field("changed_ms"), Date.UTC(2026, 10, 21, 2, 42), {}, TONGUE)).toBe("2026-11-21 10:42");
    expect(valueText(field("weight"), null, {}, TONGUE)).toBe("–");
    expect(wholeText(field("name"), words("Bearing", "轴承"), {}, TONGUE)).toBe("轴承 / Bearing");
    expect(wholeText(field("lines"), [{ item: "A", quantity: 2 }, { item: "B", quantity: null }], {}, TONGUE)).toBe("A, 2; B");
  });

  it("name a record by its key, links of the key by their names", () => {
    const row = { id: "1", version: 1, state: "", created_ms: 0, changed_ms: 0, number: "P-1", maker: "7" };
    expect(nameOf(KIND, row, TONGUE.say, { 7: words("ACME", "ACME") })).toBe("ACME P-1");
    expect(nameOf({ ...KIND, title: "name" }, { ...row, name: words("Bearing", "轴承") }, TONGUE.say, {})).toBe("轴承");
  });
});

describe("two people on one record", () => {
  it("choose among whole fields: a text in both languages, all rows", () => {
    const before = { name: words("Pump", "泵"), lines: [{ item: "A", quantity: 1 }], weight: 1, version: 1 };
    const mine = { ...before, name: words("Pump 1", "泵"), lines: [{ item: "A", quantity: 2 }] };
    const now = { ...before, name: words("Pump", "水泵"), weight: 2, version: 2 };
    const { both, theirs } = differences([["name"], ["lines"], ["weight"]], before, mine, now);
    expect(both.map(({ path }) => path)).toEqual([["name"]]);
    expect(theirs.map(({ path }) => path)).toEqual([["weight"]]);
  });
});

describe("faults the server found", () => {
  it("stand beside the field a reader sees", () => {
    const faults = { "lines.1.quantity": words("Too small.", "过小。"), "lines.0.item": words("Needed.", "必填。"), "name.en": words("Too long.", "过长。"), version: words("Old.", "旧。") };
    expect(placed(faults, formFields(KIND))).toEqual({
      lines: words("Row 2, Quantity: Too small. Row 1, Item: Needed.", "第 2 行，Quantity：过小。第 1 行，Item：必填。"),
      name: words("Too long.", "过长。"),
      version: words("Old.", "旧。"),
    });
  });
});
