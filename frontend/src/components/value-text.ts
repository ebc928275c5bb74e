import { formatNumber } from "../format/number";
import { shortAge } from "../format/time";
import type { Cell } from "../live/store";
import type { SampleKind, Tag, Words } from "../types";
import { qualityState } from "../words/quality";

/** How the values of a tag are written. */
export interface ValueFormat {
  unit: string;
  decimals: number | null;
  words: Record<string, Words> | null;
  kind?: SampleKind;
}

const YES_NO: Record<string, Words> = { "0": { en: "no", zh: "否" }, "1": { en: "yes", zh: "是" } };

/** How the values of a tag are written; yes and no where a boolean has no words of its own. */
export function formatOf(tag: Pick<Tag, "unit_sign" | "decimals" | "words" | "kind">): ValueFormat {
  return { unit: tag.unit_sign, decimals: tag.decimals, words: tag.words ?? (tag.kind === "boolean" ? YES_NO : null), kind: tag.kind };
}

export interface BlobReference {
  sha256: string;
  media_type: string;
  size: number;
}

/** A reference to a blob taken apart, null for any other value. */
export function blobOf(value: unknown): BlobReference | null {
  const found = typeof value === "string" ? /^sha256:([0-9a-f]{64});([^;]+);(\d+)$/.exec(value) : null;
  return found ? { sha256: found[1] ?? "", media_type: found[2] ?? "", size: Number(found[3]) } : null;
}

export const WAVEFORM = "application/vnd.apache.arrow.stream";
const SHOWN_NUMBERS = 3;

export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}

function blobText({ media_type, size }: BlobReference, language: "en" | "zh"): string {
  const image: Words = { en: "image", zh: "图片" };
  const wave: Words = { en: "waveform", zh: "波形" };
  const other: Words = { en: "file", zh: "文件" };
  const word = media_type.startsWith("image/") ? image : media_type === WAVEFORM ? wave : other;
  return `${word[language]} ${sizeText(size)}`;
}

/** The numbers of an array that stands in its sample; null for any other text. */
export function numbersOf(value: unknown): (number | null)[] | null {
  if (typeof value !== "string" || !value.startsWith("[")) return null;
  try {
    const found: unknown = JSON.parse(value);
    return Array.isArray(found) ? found.map((each) => (typeof each === "number" ? each : null)) : null;
  } catch {
    return null;
  }
}

function arrayText(numbers: readonly (number | null)[], decimals: number | null): string {
  const shown = numbers.slice(0, SHOWN_NUMBERS).map((each) => (each === null ? "-" : formatNumber(each, decimals)));
  return numbers.length > SHOWN_NUMBERS ? `[${shown.join(", ")}, …] ${numbers.length}` : `[${shown.join(", ")}]`;
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
  if (typeof value === "number") return formatNumber(value, format.decimals ?? (format.kind === "int64" ? 0 : null));
  const blob = format.kind === "blob" || format.kind === "array" ? blobOf(value) : null;
  if (blob) return blobText(blob, language);
  const numbers = format.kind === "array" ? numbersOf(value) : null;
  return numbers ? arrayText(numbers, format.decimals) : value;
}

/** A live value with its marks: never blank, never 0 for missing, never an old value unmarked. */
export function valueText(cell: Cell, format: ValueFormat, language: "en" | "zh", nowMs: number): ValueText {
  const isWord = format.words !== null && format.words[String(cell.value)] !== undefined;
  const unit = isWord || cell.value === null || blobOf(cell.value) ? "" : format.unit;
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
