import { describe, expect, it } from "vitest";
import { choose, fill, type Messages, placeholders } from "./format";

const files = import.meta.glob<Record<string, unknown>>(["./*.ts", "!./*.test.ts", "!./index.ts", "!./format.ts", "!./quality.ts"], { eager: true });
const tables = Object.entries(files).flatMap(([file, exported]) =>
  Object.values(exported)
    .filter((value): value is Messages => typeof value === "object" && value !== null)
    .map((table) => [file, table] as const),
);

describe("tables of words", () => {
  it("are found", () => {
    expect(tables.length).toBeGreaterThanOrEqual(6);
  });

  it.each(tables)("%s says everything in both languages with the same placeholders", (_, table) => {
    for (const [key, words] of Object.entries(table)) {
      expect(words.en.trim(), `${key} in English`).not.toBe("");
      expect(words.zh.trim(), `${key} in Chinese`).not.toBe("");
      expect(placeholders(words.zh), key).toEqual(placeholders(words.en));
    }
  });

  it.each(tables)("%s is understood: once filled no brace is left", (_, table) => {
    for (const [key, words] of Object.entries(table)) {
      for (const sentence of [words.en, words.zh]) {
        const named = [...sentence.matchAll(/\{(\w+)[,}]/g)].map(([, name = ""]) => name);
        for (const n of [0, 1, 2]) {
          expect(fill(sentence, Object.fromEntries(named.map((name) => [name, n]))), key).not.toMatch(/[{}]/);
        }
      }
    }
  });

  it.each(tables)("%s keeps to the tone: no please, no exclamation mark, no half-width comma between Chinese", (_, table) => {
    for (const [key, { en, zh }] of Object.entries(table)) {
      expect(en, key).not.toMatch(/\bplease\b|!/i);
      expect(zh, key).not.toMatch(/！|!|告警|警报|[\u4e00-\u9fff][,;?][\u4e00-\u9fff]/);
    }
  });
});

describe("fill", () => {
  it("puts values in and chooses by count", () => {
    const sentence = "{n, plural, one {# alarm} other {# alarms}} in {place}";
    expect(fill(sentence, { n: 1, place: "A" })).toBe("1 alarm in A");
    expect(fill(sentence, { n: 5, place: "A" })).toBe("5 alarms in A");
    expect(placeholders(sentence)).toEqual(["n", "place"]);
    const nested = "{n, plural, one {Not found: {names}} other {# not found: {names}}}";
    expect(fill(nested, { n: 1, names: "a" })).toBe("Not found: a");
    expect(fill(nested, { n: 2, names: "a, b" })).toBe("2 not found: a, b");
    expect(placeholders(nested)).toEqual(["n", "names"]);
  });

  it("has words for none, where a table gives some", () => {
    const gather = "{n, plural, =0 {at once} one {# second} other {# seconds}}";
    expect([0, 1, 2].map((n) => fill(gather, { n }))).toEqual(["at once", "1 second", "2 seconds"]);
    expect([0, 5].map((n) => fill("{n, plural, =0 {立即} other {# 秒}}", { n }))).toEqual(["立即", "5 秒"]);
  });

  it("leaves an unknown place visible", () => {
    expect(fill("{a} {b}", { a: 1 })).toBe("1 {b}");
  });

  it("falls back to the language that is written", () => {
    expect(choose({ en: "pump", zh: "" }, "zh")).toBe("pump");
    expect(choose(null, "zh")).toBe("");
  });
});
