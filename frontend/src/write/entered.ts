/** What a person types for a tag, and whether it may be sent. No React. */

import { formatNumber } from "../format/number";
import { plainValue } from "../components/value-text";
import type { LiveNumber } from "../live/store";
import type { Selected } from "./types";

/** A fault of an entry: the key of its sentence. */
export type Fault = "notNumber" | "notWhole" | "outside";

const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const WHOLE = /^[+-]?\d+$/;

/** Say what is wrong with an entry, or null; an empty one is only not there yet. */
export function faultOf(tag: Selected, entered: string): Fault | null {
  const text = entered.trim();
  if (tag.kind === "text" || text === "") return null;
  if (!NUMBER.test(text)) return "notNumber";
  if (tag.kind !== "float64" && !WHOLE.test(text)) return "notWhole";
  const value = Number(text);
  if (!Number.isFinite(value)) return "notNumber";
  if (tag.kind === "boolean") return null;
  return (tag.low !== null && value < tag.low) || (tag.high !== null && value > tag.high) ? "outside" : null;
}

export function isComplete(tag: Selected, entered: string): boolean {
  return (tag.kind === "text" || entered.trim() !== "") && faultOf(tag, entered) === null;
}

/** The value as it is sent; whole numbers beyond what JavaScript keeps stay text. */
export function valueOf(tag: Selected, entered: string): number | string | boolean {
  if (tag.kind === "text") return entered;
  const value = Number(entered.trim());
  if (tag.kind === "boolean") return value === 1;
  return tag.kind === "int64" && !Number.isSafeInteger(value) ? entered.trim().replace(/^\+/, "") : value;
}

/** A value with its unit or word, never rounder than it was typed. */
export function shown(tag: Pick<Selected, "unit_sign" | "decimals" | "words">, value: LiveNumber | boolean, language: "en" | "zh", typed = ""): string {
  const plain = typeof value === "boolean" ? Number(value) : value;
  if (tag.words?.[String(plain)]) return plainValue(plain, { unit: "", decimals: null, words: tag.words }, language);
  if (typeof plain !== "number") return plain ?? "-";
  const digits = typed.trim().split(".")[1]?.length ?? 0;
  const decimals = tag.decimals === null && digits === 0 ? null : Math.min(9, Math.max(tag.decimals ?? 0, digits));
  const number = formatNumber(plain, decimals);
  return tag.unit_sign === "" || tag.unit_sign === "1" ? number : `${number} ${tag.unit_sign}`;
}
