import { formatNumber } from "../format/number";
import { shortAge } from "../format/time";
import type { Cell } from "../live/store";
import type { Words } from "../types";
import { qualityState } from "../words/quality";

/** How the values of a tag are written. */
export interface ValueFormat {
  unit: string;
  decimals: number | null;
  words: Record<string, Words> | null;
}

export type Look = "good" | "uncertain" | "bad" | "stale" | "unknown";

export interface ValueText {
  look: Look;
  before: string;
  value: string;
  unit: string;
  after: string;
  /** `↻` replayed or simulated, a pencil entered by hand. */
  origin: "" | "↻" | "✎";
}

export const MANUAL = 1;
export const SIMULATED = 4;
export const REPLAYED = 5;

export function originSign(origin: number): "" | "↻" | "✎" {
  if (origin === REPLAYED || origin === SIMULATED) return "↻";
  return origin === MANUAL ? "✎" : "";
}

/** One raw value as text, without its marks. */
export function plainValue(value: Cell["value"], format: ValueFormat, language: "en" | "zh"): string {
  if (value === null) return "-";
  const word = format.words?.[String(value)];
  if (word) return word[language] || word.en;
  return typeof value === "number" ? formatNumber(value, format.decimals) : value;
}

/** A live value with its marks: never blank, never 0 for missing, never an old value unmarked. */
export function valueText(cell: Cell, format: ValueFormat, language: "en" | "zh", nowMs: number): ValueText {
  const isWord = format.words !== null && format.words[String(cell.value)] !== undefined;
  const unit = isWord || cell.value === null ? "" : format.unit;
  const origin = originSign(cell.origin);
  if (!cell.known) return { look: "unknown", before: "", value: "-", unit: "", after: "", origin: "" };
  const value = plainValue(cell.value, format, language);
  const quality = qualityState(cell.quality);
  if (quality === "bad") {
    const last = cell.value === null || (typeof cell.value === "number" && Number.isNaN(cell.value));
    return last
      ? { look: "bad", before: "✕", value: "", unit: "", after: "", origin }
      : { look: "bad", before: "✕ (", value, unit, after: ")", origin };
  }
  if (cell.stale) {
    const age = shortAge(nowMs - cell.time) ?? "> 1 h";
    return { look: "stale", before: "◷ ", value, unit, after: ` · ${age}`, origin };
  }
  return quality === "uncertain"
    ? { look: "uncertain", before: "", value, unit, after: " ?", origin }
    : { look: "good", before: "", value, unit, after: "", origin };
}
