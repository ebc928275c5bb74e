import { describe, expect, it } from "vitest";
import { faultOf, isComplete, shown, valueOf } from "./entered";
import type { Selected } from "./types";

const tag = (fields: Partial<Selected>): Selected => ({
  id: "1", tag: 1, name: "TIC-101", description: null, kind: "float64", unit_sign: "°C", low: 0, high: 100, decimals: 1, words: null, value: 45,
  requires: { reason: false, password: false, second_person: false, hold: false },
  ...fields,
});

describe("an entry", () => {
  it("is checked against kind and range", () => {
    expect(faultOf(tag({}), "47.5")).toBeNull();
    expect(faultOf(tag({}), "100.01")).toBe("outside");
    expect(faultOf(tag({}), "-1")).toBe("outside");
    expect(faultOf(tag({}), "47,5")).toBe("notNumber");
    expect(faultOf(tag({}), "1e999")).toBe("notNumber");
    expect(faultOf(tag({ kind: "int64" }), "4.5")).toBe("notWhole");
    expect(faultOf(tag({ kind: "text" }), "anything")).toBeNull();
    expect(isComplete(tag({}), " ")).toBe(false);
    expect(isComplete(tag({ kind: "text" }), "")).toBe(true);
  });

  it("is sent exactly", () => {
    expect(valueOf(tag({}), "47.5")).toBe(47.5);
    expect(valueOf(tag({ kind: "boolean" }), "1")).toBe(true);
    expect(valueOf(tag({ kind: "int64" }), "9007199254740993")).toBe("9007199254740993");
    expect(valueOf(tag({ kind: "int64" }), "12")).toBe(12);
    expect(valueOf(tag({ kind: "text" }), " a ")).toBe(" a ");
  });

  it("is shown with its unit or word, never rounder than typed", () => {
    expect(shown(tag({}), 47.5, "en")).toBe("47.5 °C");
    expect(shown(tag({}), 47.25, "en", "47.25")).toBe("47.25 °C");
    const mode = tag({ kind: "enumeration", words: { "2": { en: "remote", zh: "远程" } } });
    expect(shown(mode, 2, "zh")).toBe("远程");
    expect(shown(tag({ kind: "boolean", unit_sign: "1", words: { "1": { en: "on", zh: "开" } }, decimals: null }), true, "en")).toBe("on");
  });
});
