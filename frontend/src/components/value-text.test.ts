import { describe, expect, it } from "vitest";
import type { Cell } from "../live/store";
import { valueText } from "./value-text";

const format = { unit: "°C", decimals: 1, words: null };
const cell = (change: Partial<Cell> = {}): Cell => ({ value: 72.4, time: 0, quality: 192, origin: 0, known: true, stale: false, ...change });
const written = (change: Partial<Cell>, words: typeof format.words | Record<string, { en: string; zh: string }> = null) => {
  const text = valueText(cell(change), { ...format, words }, "zh", 180_000);
  return `${text.origin}${text.before}${text.value}${text.unit && ` ${text.unit}`}${text.after}`;
};

describe("a live value", () => {
  it("is plain when good", () => {
    expect(written({})).toBe("72.4 °C");
  });

  it("says bad, stale and uncertain with a mark, never blank and never 0", () => {
    expect(written({ quality: 8 })).toBe("✕ (72.4 °C)");
    expect(written({ quality: 8, value: null })).toBe("✕");
    expect(written({ stale: true })).toBe("◷ 72.4 °C · 3 min");
    expect(written({ quality: 0x44 })).toBe("72.4 °C ?");
    expect(written({ known: false })).toBe("-");
  });

  it("bad wins over stale: the reason is nearer the cause", () => {
    expect(written({ quality: 8, stale: true })).toBe("✕ (72.4 °C)");
  });

  it("marks what was replayed, simulated or entered by hand", () => {
    expect(written({ origin: 5 })).toBe("↻72.4 °C");
    expect(written({ origin: 4 })).toBe("↻72.4 °C");
    expect(written({ origin: 1 })).toBe("✎72.4 °C");
    expect(written({ origin: 2 })).toBe("72.4 °C");
  });

  it("says enumerations in the reader's words, without a unit", () => {
    expect(written({ value: 1 }, { "1": { en: "running", zh: "运行" } })).toBe("运行");
    expect(written({ value: "9007199254740993" })).toBe("9007199254740993 °C");
  });
});
