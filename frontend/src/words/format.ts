import type { Language, Words } from "../types";

/** A table of whole sentences; `{name}` is a value, `{n, plural, =0 {...} one {...} other {... # ...}}` chooses by count; the first two may be left out. */
export type Messages = Record<string, Words>;
export type Values = Record<string, string | number>;

const PLURAL = /\{(\w+), plural,(?: =0 \{((?:[^{}]|\{\w+\})*)\})?(?: one \{((?:[^{}]|\{\w+\})*)\})? other \{((?:[^{}]|\{\w+\})*)\}\}/g;
const PLACE = /\{(\w+)\}/g;

/** Fill the placeholders of one sentence. */
export function fill(sentence: string, values: Values): string {
  return sentence
    .replace(PLURAL, (_, name: string, none: string | undefined, one: string | undefined, other: string) => {
      const chosen = { 0: none, 1: one }[Number(values[name])] ?? other;
      return chosen.replaceAll("#", String(values[name]));
    })
    .replace(PLACE, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

/** The names whose value a sentence shows, sorted: both languages must show the same. A plural without `#` only chooses. */
export function placeholders(sentence: string): string[] {
  const names = new Set<string>();
  for (const [whole, name = ""] of sentence.matchAll(PLURAL)) if (whole.includes("#")) names.add(name);
  for (const match of sentence.replace(PLURAL, "$2 $3 $4").matchAll(PLACE)) names.add(match[1] ?? "");
  return [...names].sort();
}

/** Choose the reader's language, or the other when one is empty. */
export function choose(words: Words | string | null | undefined, language: Language): string {
  if (words === null || words === undefined) return "";
  if (typeof words === "string") return words;
  return words[language] || words.en || words.zh || "";
}
