/** The fields of a kind, read from its JSON Schema: what they are called, how they are filled in and compared. */

import type { Words } from "../types";
import { recordWords } from "../words/records";
import type { Comparison } from "./query";
import type { Kind, Schema } from "./types";

export const CONTROLS = ["code", "text", "words", "notes", "exact", "whole", "yes", "choice", "day", "moment", "unit", "link", "any", "rows", "nested", "list", "json", "uri"] as const;
export type Control = (typeof CONTROLS)[number];

export interface Choice {
  value: string;
  words: Words;
}
export interface Field {
  name: string;
  control: Control;
  words: Words;
  hint: Words | null;
  /** What the number is counted in. */
  unit: string;
  /** The field beside it that says so, where it differs from record to record. */
  unitIn: string;
  /** It says what another field is counted in. */
  counts: boolean;
  required: boolean;
  /** Empty is null, not an empty text. */
  nullable: boolean;
  start: unknown;
  /** The platform works it out: it is seen, never written. */
  given: boolean;
  /** Left empty, it is the next number of this series. */
  series: string;
  least: number | undefined;
  above: number | undefined;
  most: number | undefined;
  length: number | undefined;
  /** Of a list: it is one of whole numbers. */
  whole: boolean;
  choices: readonly Choice[];
  /** What a text stands for: `kind`, `kinds`, `moves`, or `conditions` on the kind that another field names. */
  holds: string;
  /** The kind of record a link leads to. */
  target: string;
  /** How it can be compared, where that is less than its control allows. */
  ways?: readonly Comparison[];
  /** The fields of each row, or of the form within the form. */
  row: readonly Field[];
}

const bare = (text: string): Words => ({ en: text, zh: text });

/** A part of the schema with what it refers to, and whether it may be null. Numbers also come as text: the number counts. */
function resolved(schema: Schema, root: Schema): { node: Schema; nullable: boolean } {
  if (schema.$ref) {
    const found = root.$defs?.[schema.$ref.split("/").at(-1) ?? ""] ?? {};
    return { node: { ...found, ...schema }, nullable: false };
  }
  if (!schema.anyOf) return { node: schema, nullable: false };
  const ways = schema.anyOf.filter(({ type }) => type !== "null");
  const best = ways.find(({ type }) => type === "number" || type === "integer") ?? ways[0] ?? {};
  return { node: { ...resolved(best, root).node, ...schema }, nullable: ways.length < schema.anyOf.length };
}

/** How a field is filled in whose schema does not say so: those of rows. */
function guessed(node: Schema): Control {
  if (node["x-choices"] || node.enum) return "choice";
  if (node["x-kind"] || node.format === "uuid") return "link";
  if (node.format === "date") return "day";
  if (node.type === "boolean") return "yes";
  if (node.type === "integer") return "whole";
  if (node.type === "number") return "exact";
  if (!node.properties) return "text";
  return "zh" in node.properties ? "words" : "nested";
}

function fieldOf(name: string, schema: Schema, root: Schema, required: boolean): Field {
  const { node, nullable } = resolved(schema, root);
  const said = node["x-control"] as Control | undefined;
  const item = node.items ? resolved(node.items, root).node : null;
  const rows = item && (item.properties ? "rows" : item.type === "string" || item.type === "integer" ? "list" : "json");
  const control = rows ?? (said && CONTROLS.includes(said) ? said : guessed(node));
  const words = node["x-choices"] ?? item?.["x-choices"] ?? {};
  const row = control === "nested" ? node : control === "rows" ? item : null;
  return {
    name,
    control,
    words: node["x-words"] ?? bare(schema.title ?? name.charAt(0).toUpperCase() + name.slice(1)),
    hint: node["x-hint"] ?? null,
    unit: node["x-unit"] ?? "",
    unitIn: node["x-unit-in"] ?? "",
    counts: control === "unit",
    required,
    nullable,
    // Exact numbers are declared as text; a form counts in numbers.
    start: control === "exact" && typeof schema.default === "string" ? Number(schema.default) : schema.default,
    given: node.readOnly === true,
    series: node["x-series"] ?? "",
    least: node.minimum,
    above: node.exclusiveMinimum,
    most: node.maximum,
    length: node.maxLength,
    whole: item?.type === "integer",
    choices: (node.enum ?? item?.enum ?? Object.keys(words)).map((value) => ({ value, words: words[value] ?? bare(value) })),
    holds: node["x-holds"] ?? "",
    target: node["x-kind"] ?? "",
    row: row ? propertiesOf(row, root) : [],
  };
}

const propertiesOf = (schema: Schema, root: Schema): Field[] => {
  const needed = new Set(schema.required ?? []);
  const fields = Object.entries(schema.properties ?? {}).map(([name, node]) => fieldOf(name, node, root, needed.has(name)));
  return fields.map((field) => ({ ...field, counts: field.counts || fields.some(({ unitIn }) => unitIn === field.name) }));
};

/** Everything a record of a kind holds. */
export const fieldsOf = (kind: Kind): Field[] => propertiesOf(kind.schema, kind.schema);

/** What forms ask for. */
export const formFields = (kind: Kind): Field[] => fieldsOf(kind).filter(({ given }) => !given);

/** A field that no schema declares. */
export const stamp = (name: string, words: Words): Field => ({
  name, control: "moment", words, hint: null, unit: "", unitIn: "", counts: false, required: false, nullable: true, start: null, given: true, series: "", least: undefined, above: undefined, most: undefined, length: undefined, whole: false, choices: [], holds: "", target: "", row: [],
});

/** What lists show of a kind: its fields, and what every record has beside them. */
export function listFields(kind: Kind): Field[] {
  const states = Object.entries(kind.states).map(([value, words]) => ({ value, words }));
  const state: Field[] = states.length > 0 ? [{ ...stamp("state", recordWords.stateField), control: "choice", nullable: false, choices: states }] : [];
  return [...fieldsOf(kind), ...state, stamp("changed_ms", recordWords.changedField), stamp("created_ms", recordWords.createdField)];
}

/** The columns of a list as long as nobody chose others. */
export function usualColumns(kind: Kind): string[] {
  return Object.keys(kind.states).length > 0 && !kind.columns.includes("state") ? [...kind.columns, "state"] : kind.columns;
}

/** Texts in two languages, rows, forms within the form and long notes have no order. */
export const sorts = ({ control }: Field) => !["words", "rows", "nested", "list", "json", "notes"].includes(control);

/** What a new record begins with; a moment that need not be said is the present one. */
export function startOf(fields: readonly Field[]): Record<string, unknown> {
  const empty = ({ control, required, nullable }: Field) => {
    if (control === "rows" || control === "list" || control === "json") return [];
    if (control === "yes") return false;
    return control === "moment" && !required && !nullable ? Date.now() : null;
  };
  return Object.fromEntries(fields.map((field) => [field.name, field.start ?? empty(field)]));
}

const EMPTY_IS_NULL: readonly Control[] = ["exact", "whole", "moment", "link", "day"];

/** What is empty in a form, as the interface takes it: null, or an empty text where there is no null. */
export function sent(fields: readonly Field[], values: Record<string, unknown>): Record<string, unknown> {
  const one = (field: Field, value: unknown): unknown => {
    if (field.control === "words") {
      const { en = "", zh = "" } = (value ?? {}) as Partial<Words>;
      return { en, zh };
    }
    if (field.control === "list" || field.control === "json") return value ?? [];
    if (field.control === "rows") return ((value ?? []) as Record<string, unknown>[]).map((row) => sent(field.row, row));
    if (field.control === "nested") return value ? sent(field.row, value as Record<string, unknown>) : null;
    if (field.control === "yes") return value === true;
    if (value !== undefined && value !== null && value !== "") return value;
    return field.nullable || EMPTY_IS_NULL.includes(field.control) ? null : "";
  };
  return Object.fromEntries(fields.filter(({ name }) => name in values).map((field) => [field.name, one(field, values[field.name])]));
}

/** Whether nothing is entered: what a step needs must not be so. */
export function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined || value === "") return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === "object" && Object.values(value).every((each) => each === "");
}
