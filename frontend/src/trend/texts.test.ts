import { describe, expect, it } from "vitest";
import { spansOf, textAt } from "./texts";

const sample = (time_ms: number, value: string, quality = 0xc0) => ({ time_ms, value, quality, origin: 0, flags: 0 });

describe("texts", () => {
  it("hold until the next sample, equal ones as one", () => {
    const spans = spansOf([sample(1, "a"), sample(2, "a"), sample(5, "b"), sample(8, "b", 0), sample(9, "c")], true, 20);
    expect(spans.map(({ value, start_ms, end_ms }) => [value, start_ms, end_ms])).toEqual([
      ["a", 1, 5],
      ["b", 5, 8],
      ["c", 9, 20],
    ]);
    expect(textAt(spans, 6)).toBe("b");
    expect(textAt(spans, 8.5)).toBeNull();
    expect(textAt(spans, 0)).toBeNull();
  });

  it("stay apart where each is a recording", () => {
    expect(spansOf([sample(1, "a"), sample(2, "a")], false, 3)).toHaveLength(2);
  });
});
