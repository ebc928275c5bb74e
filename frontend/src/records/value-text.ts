/** A value of a record in words, as lists, details, histories and conflicts show it. */

import { formatNumber } from "../format/number";
import type { Zone } from "../format/time";
import type { Words } from "../types";
import { written, type Unit } from "../units";
import type { Say } from "../words";
import type { recordWords } from "../words/records";
import { type Field, isEmpty } from "./fields";
import { whereOf } from "./query";
import type { KindBrief, Titles } from "./types";

export interface Tongue {
  t: Say<typeof recordWords>;
  say: (words: Words | string | null | undefined) => string;
  zone: Zone;
  units: readonly Unit[];
  kinds: readonly KindBrief[];
}

const BRIEF = 300;
export const PIECES = "{count}";
export const GROUPS = ["production", "material", "quality", "maintenance", "energy", "safety", "supply", "engineering", "platform"] as const;

/** A number as it is kept: no place of it is rounded away. */
export function exactText(value: number): string {
  const places = /\.(\d+)$/.exec(String(value))?.[1]?.length ?? 0;
  return formatNumber(value, places);
}

/** `record` is what the value belongs to: some numbers are counted in what another field of it says. */
export function valueText(field: Field, value: unknown, titles: Titles, tongue: Tongue, record: Readonly<Record<string, unknown>> = {}): string {
  const { t, say, zone } = tongue;
  if (field.control === "yes") return t(value === true ? "yes" : "no");
  if (isEmpty(value)) return "–";
  if (field.holds !== "") return heldText(field.holds, value, tongue);
  if (field.counts) return unitText(String(value), tongue);
  switch (field.control) {
    case "words":
      return say(value as Words);
    case "exact":
    case "whole":
      return `${typeof value === "number" ? exactText(value) : String(value)} ${unitText(String(record[field.unitIn] ?? field.unit), tongue)}`.trimEnd();
    case "choice":
      return say(field.choices.find((choice) => choice.value === value)?.words ?? String(value));
    case "moment":
      return typeof value === "number" ? zone.full(value).slice(0, 16) : String(value);
    case "link":
    case "any":
      return say(titles[String(value)] ?? titles[String(value).split(":").at(-1) ?? ""] ?? String(value));
    case "uri":
      return say(titles[String(value)] ?? String(value));
    case "rows":
      return t("rowCount", { n: (value as unknown[]).length });
    case "list":
      return (value as unknown[]).map((each) => say(field.choices.find((choice) => choice.value === each)?.words ?? String(each))).join(", ");
    case "json":
      return JSON.stringify(value).slice(0, BRIEF);
    case "nested":
      return cellsOf(field, value as Record<string, unknown>, titles, tongue).slice(0, BRIEF);
    default:
      return String(value).slice(0, BRIEF);
  }
}

/** A unit as people read it; pieces have no sign, but a word. */
const unitText = (code: string, { t, units }: Tongue): string => (code === PIECES ? t("pieces") : written(code, units));

/** What a text stands for, in words: kinds of records, groups of them, steps, conditions. */
export function heldText(holds: string, value: unknown, { t, say, kinds }: Tongue): string {
  if (holds.startsWith("conditions")) return whereOf(String(value)).map(({ field, compare, value }) => `${field} ${t(`cmp_${compare}`)} ${String(value)}`).join("; ");
  const word = (name: string) => {
    if (name === "*") return t(holds === "moves" ? "everyStep" : "everyKind");
    if (holds === "moves") return say(kinds.flatMap(({ moves }) => moves).find((move) => move.name === name)?.words ?? name);
    const group = GROUPS.find((each) => name === `group:${each}`);
    return group ? t("wholeGroup", { group: t(`group_${group}`) }) : say(kinds.find(({ kind }) => kind === name)?.many ?? name);
  };
  return (Array.isArray(value) ? value : [value]).map((name) => word(String(name))).join(", ");
}

/** As `valueText`, with both languages and every row: what is compared must be seen. */
export function wholeText(field: Field, value: unknown, titles: Titles, tongue: Tongue, record: Readonly<Record<string, unknown>> = {}): string {
  if (field.control === "words" && !isEmpty(value)) {
    const { en, zh } = value as Words;
    // The reader's own language first.
    return [...new Set([tongue.say({ en, zh }), tongue.say({ en: zh, zh: en })])].join(" / ");
  }
  if (field.control !== "rows" || !Array.isArray(value) || value.length === 0) return valueText(field, value, titles, tongue, record);
  return (value as Record<string, unknown>[]).map((row) => cellsOf(field, row, titles, tongue)).join("; ").slice(0, BRIEF);
}

function cellsOf(field: Field, row: Record<string, unknown>, titles: Titles, tongue: Tongue): string {
  return field.row.filter(({ name }) => !isEmpty(row[name])).map((cell) => wholeText(cell, row[cell.name], titles, tongue)).join(", ");
}
