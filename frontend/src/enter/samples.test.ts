import { describe, expect, it } from "vitest";
import { blobOf, plainValue } from "../components/value-text";
import { CORRECTED, handSign, LATE, signsOf, signsOfMarks, timeOf } from "./samples";

describe("signs", () => {
  it("tell what a sample is", () => {
    expect(signsOf(0, 0)).toBe("");
    expect(signsOf(1, 0)).toBe("✎");
    expect(signsOf(5, LATE)).toBe("↻⇠");
    expect(signsOf(1, CORRECTED)).toBe("≠");
  });

  it("tell what is in a bucket", () => {
    expect(signsOfMarks(1)).toBe("");
    expect(signsOfMarks(0b11)).toBe("✎");
    expect(signsOfMarks((1 << 5) | (LATE << 8))).toBe("↻⇠");
    expect(signsOfMarks((1 << 1) | (CORRECTED << 8))).toBe("≠");
    expect([1, 0b11, (1 << 5) | (LATE << 8), 1 | (CORRECTED << 8)].map(handSign)).toEqual(["", "✎", "", "≠"]);
  });
});

describe("values", () => {
  const format = { unit: "", decimals: null, words: null };
  it("of blobs and arrays are told, not spelled", () => {
    const wave = `sha256:${"a".repeat(64)};application/vnd.apache.arrow.stream;8192`;
    expect(blobOf(wave)?.size).toBe(8192);
    expect(plainValue(wave, { ...format, kind: "blob" }, "zh")).toBe("波形 8 KB");
    expect(plainValue("[1,2.5,null,4,5]", { ...format, decimals: 1, kind: "array" }, "en")).toBe("[1.0, 2.5, -, …] 5");
    expect(plainValue("[1,2]", { ...format, kind: "text" }, "en")).toBe("[1,2]");
  });
});

describe("times", () => {
  it("are read as written", () => {
    const utc = (...[year, month, day, hour, minute, second]: number[]) => Date.UTC(year!, month! - 1, day, hour, minute, second);
    expect(timeOf("2026-11-21 13:05", utc)).toBe(Date.UTC(2026, 10, 21, 13, 5));
    expect(timeOf("2026-11-21T13:05:07", utc)).toBe(Date.UTC(2026, 10, 21, 13, 5, 7));
    expect(timeOf("21.11.2026", utc)).toBeNull();
    expect(timeOf("2026-13-21 13:05", utc)).toBeNull();
  });
});
