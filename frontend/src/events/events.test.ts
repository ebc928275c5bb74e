import { describe, expect, it } from "vitest";
import type { Words } from "../types";
import { eventFaults } from "./faults";
import { filterFields, parametersOf } from "./filters";
import { amountText, lotIn, nameText, type Reading, shortWord, tail, thingsOf, thingsText, urisOf, wordOf } from "./read";
import type { EpcisEvent, Names, Vocabulary } from "./types";

const words = (en: string, zh = en): Words => ({ en, zh });
const vocabulary: Vocabulary = {
  words: { bizStep: { receiving: words("Receiving", "收货") }, disposition: { conformant: words("Conformant", "合格") }, transaction: {}, party: {}, reason: {} },
  types: ["ObjectEvent", "TransformationEvent"],
  units: { KGM: "kg" },
};
const reading: Reading = {
  t: (key, values) => [key, ...Object.values(values ?? {})].join(" "),
  say: (text) => (typeof text === "string" ? text : (text?.zh ?? "")),
  units: [{ code: "kg", sign: "kg", also: [] }],
  vocabulary,
};
const LOT = "urn:mainspring:lot:TE-G:G-04%2018";
const made: EpcisEvent = {
  type: "TransformationEvent", eventID: "urn:uuid:1", eventTime: "2026-11-21T05:50:00+08:00", eventTimeZoneOffset: "+08:00", recordTime: "2026-11-21T00:00:00Z",
  inputQuantityList: [{ epcClass: "urn:mainspring:item:A", quantity: 2, uom: "KGM" }, { epcClass: "urn:mainspring:item:C", quantity: 28 }],
  outputQuantityList: [{ epcClass: LOT, quantity: 12400, uom: "KGM" }],
  readPoint: { id: "urn:mainspring:asset:feed" }, bizTransactionList: [{ bizTransaction: "urn:mainspring:order:WO-1" }],
};
const names: Names = { [LOT]: [{ kind: "item", id: "1", name: words("Product G", "产品 G") }] };

describe("an event in words", () => {
  it("names its things by role, with lots that are no records of their own", () => {
    expect(thingsOf(made).map(({ role }) => role)).toEqual(["input", "input", "output"]);
    expect(nameText(LOT, names, reading.say)).toBe("产品 G G-04 18");
    expect(nameText("urn:epc:id:sscc:9521321.0000000417", {}, reading.say)).toBe("urn:epc:id:sscc:9521321.0000000417");
    expect(lotIn("urn:mainspring:item:TE-G")).toBe("");
    expect(tail("urn:mainspring:lot:A:%E0%A4%A")).toBe("A %E0%A4%A");
    expect(thingsText(made, names, reading)).toBe("madeOf 产品 G G-04 18 12,400 kg andMore A 2 kg 1");
    expect(urisOf(made)).toHaveLength(5);
  });

  it("takes the vocabulary in all its forms, and words of somebody's own as they are", () => {
    for (const form of ["receiving", "urn:epcglobal:cbv:bizstep:receiving", "https://ref.gs1.org/cbv/BizStep-receiving", "cbv:BizStep-receiving"]) {
      expect(shortWord(form)).toBe("receiving");
      expect(wordOf("bizStep", form, reading)).toBe("收货");
    }
    expect(wordOf("bizStep", "https://example.com/step", reading)).toBe("https://example.com/step");
    expect([amountText({ quantity: 3 }, reading), amountText({ quantity: 0.5, uom: "XYZ" }, reading), amountText({}, reading)]).toEqual(["3 pieces", "0.5 XYZ", ""]);
  });
});

describe("filters", () => {
  it("become parameters of the standard's query", () => {
    const at = (compare: "ge" | "lt", value: number) => ({ field: "eventTime", compare, value });
    expect(
      parametersOf([
        at("ge", 1000), at("ge", 5000), at("lt", 9000), at("lt", 8000),
        { field: "bizStep", compare: "in", value: ["receiving", "shipping"] }, { field: "bizStep", compare: "in", value: ["packing"] },
        { field: "readPoint", compare: "eq", value: "urn:mainspring:asset:a|urn:mainspring:asset:b" }, { field: "declared", compare: "in", value: ["only"] },
      ]),
    ).toEqual({
      GE_eventTime: "1970-01-01T00:00:05.000Z", LT_eventTime: "1970-01-01T00:00:08.000Z", EQ_bizStep: "receiving|shipping|packing",
      EQ_readPoint: "urn:mainspring:asset:a|urn:mainspring:asset:b", EXISTS_errorDeclaration: "true",
    });
  });

  it.each([
    [LOT, "MATCH_anyEPCClass"],
    ["urn:epc:class:lgtin:4012345.012345.998877", "MATCH_anyEPCClass"],
    ["https://id.gs1.org/01/09521321000011/10/L1", "MATCH_anyEPCClass"],
    ["https://id.gs1.org/01/09521321000011/21/S1", "MATCH_anyEPC"],
    ["urn:epc:id:sgtin:0614141.107346.2017", "MATCH_anyEPC"],
    ["urn:mainspring:asset:press", "MATCH_anyEPC"],
  ])("ask for %s as what it is", (uri, name) => {
    expect(parametersOf([{ field: "thing", compare: "eq", value: uri }])).toEqual({ [name]: uri });
  });

  it("offer what the query knows", () => {
    const fields = filterFields(vocabulary);
    expect(fields.map(({ name }) => name)).toEqual(["eventTime", "bizStep", "disposition", "eventType", "thing", "readPoint", "bizLocation", "declared"]);
    expect(fields[3]?.choices[1]?.words.zh).toBe("转换事件");
  });
});

it("faults are told by event", () => {
  const text = words("wrong");
  expect(eventFaults({ "epcisBody.eventList.4.bizStep": text, "epcisBody.eventList.0": text, "@context": text })).toEqual([
    { number: null, field: "@context", text }, { number: 1, field: "", text }, { number: 5, field: "bizStep", text },
  ]);
});
