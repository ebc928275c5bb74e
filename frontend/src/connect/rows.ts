/** Rows of new tags: columns made from a driver's address schema, pasted text, faults and what is sent. */

import type { Words } from "../types";
import { connectWords } from "../words/connect";
import { fill, type Values } from "../words/format";
import { shared } from "../words/shared";
import { type Field, fieldsOf } from "./schema";
import type { BrowseNode, Driver, TemplateTag } from "./types";

export const ROWS_MAX = 10_000;
export const ADDRESS = "address.";
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

export interface SheetColumn {
  /** The field of a tag: `name`, `address.register`. */
  key: string;
  title: Words;
  kind: "text" | "unit" | "number" | "whole" | "choice" | "yes-no";
  choices: readonly string[];
  required: boolean;
  byDefault: string;
  width: number;
  min?: number | undefined;
  max?: number | undefined;
  /** Shown without asking for all columns. */
  main: boolean;
  /** What a row reads, or what it means in the plant. */
  step: "tags" | "map" | "both";
}
export interface SheetRow {
  key: number;
  cells: Readonly<Record<string, string>>;
  writable?: boolean;
  /** Words of an enumeration's values, as a template gives them. */
  words?: Record<string, Words>;
}
export interface RowFault {
  rowKey: number;
  field: string;
  text: Words;
}

/** The address fields that most tags of a driver need; a driver that is not listed shows all. */
const MAIN_ADDRESS: Record<string, readonly string[]> = { "modbus-tcp": ["table", "register", "type", "order"], opcua: ["node"] };
const KINDS = ["float64", "int64", "boolean", "enumeration", "text"];

export const LIMITS = "limits.";
type ColumnName = "area" | "line" | "device" | "name" | "description" | "kind" | "unit" | "gain" | "offset" | "scan_ms" | "dead_band" | "low" | "high" | "decimals";
function own(key: ColumnName, kind: SheetColumn["kind"], byDefault: string, width: number, main: boolean, step: SheetColumn["step"] = "map"): SheetColumn {
  return { key, title: connectWords[`col_${key}`], kind, choices: key === "kind" ? KINDS : [], required: key === "name", byDefault, width, main, step };
}

function limit(name: string): SheetColumn {
  return { key: LIMITS + name, title: { en: name, zh: name }, kind: "number", choices: [], required: false, byDefault: "", width: 60, main: true, step: "map" };
}

function addressColumn(field: Field, main: boolean): SheetColumn {
  const kind = field.kind === "secret" || field.kind === "list" ? "text" : field.kind;
  // A number standing in an empty cell would read as an address that is given.
  const byDefault = kind === "choice" && !field.required && typeof field.byDefault === "string" ? field.byDefault : "";
  const width = kind === "choice" ? 124 : kind === "text" ? 240 : 96;
  return { key: ADDRESS + field.key, title: field.title, kind, choices: field.choices, required: field.required, byDefault, width, min: field.min, max: field.max, main, step: "tags" };
}

/** A title without its remark: `Register` of `Register, from 0`. */
export const shortTitle = (title: string): string => title.split(/[,，]/)[0] ?? title;

/** The columns of a driver's sheet: the name, where the value lies, what it means. What reports by itself has no scan. */
export function columnsFor({ name, address_schema, subscribes }: Driver): SheetColumn[] {
  const listed = MAIN_ADDRESS[name];
  const address = fieldsOf(address_schema).map((field) => addressColumn(field, listed?.includes(field.key) ?? true));
  return [
    own("name", "text", "", 150, true, "both"),
    ...address,
    own("kind", "choice", "float64", 116, !listed || name === "opcua", "tags"),
    own("area", "text", "", 100, false),
    own("line", "text", "", 100, true),
    own("device", "text", "", 100, true),
    own("unit", "unit", "", 128, true, "both"),
    own("gain", "number", "1", 64, true),
    own("offset", "number", "0", 64, true),
    own("dead_band", "number", "0", 84, true),
    ...(subscribes ? [] : [own("scan_ms", "whole", "1000", 92, true)]),
    ...["LL", "L", "H", "HH"].map(limit),
    own("low", "number", "", 88, false),
    own("high", "number", "", 88, false),
    own("decimals", "whole", "", 80, false),
    own("description", "text", "", 220, false, "both"),
  ];
}

const NEEDED: Words = shared.required;
let lastKey = 0;
export function emptyRow(): SheetRow {
  lastKey += 1;
  return { key: lastKey, cells: {} };
}

export const isBlank = ({ cells }: SheetRow): boolean => Object.values(cells).every((text) => text.trim() === "");

export function withCell(row: SheetRow, column: string, text: string): SheetRow {
  return { ...row, cells: { ...row.cells, [column]: text } };
}

/** A cell's text in every row below it, down to the last that is filled. */
export function filledDown(rows: readonly SheetRow[], at: number, column: string): SheetRow[] {
  const text = rows[at]?.cells[column] ?? "";
  return rows.map((row, index) => (index > at && !isBlank(row) ? withCell(row, column, text) : row));
}

/** A row for a browsed node; a slash would read as another place in the tree. */
export function rowOfNode(node: BrowseNode): SheetRow {
  const address = Object.entries(node.address ?? {}).map(([key, value]) => [ADDRESS + key, value === null ? "" : String(value)] as const);
  const description = typeof node.description === "string" ? node.description : (node.description?.en ?? "");
  const cells = { name: node.name.replaceAll("/", "-"), kind: node.kind ?? "float64", unit: node.unit === "1" ? "" : node.unit, description, ...Object.fromEntries(address) };
  return { ...emptyRow(), cells, writable: node.writable };
}

/** Split what a spreadsheet puts on the clipboard: tabs between cells, quoted cells may hold tabs and line ends. */
export function parsePaste(text: string): string[][] {
  const rows: string[][] = [[]];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (quoted) {
      if (sign !== '"') cell += sign;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (sign === '"' && cell === "") quoted = true;
    else if (sign === "\t" || sign === "\n") {
      rows.at(-1)?.push(cell.trim());
      cell = "";
      if (sign === "\n") rows.push([]);
    } else cell += sign;
  }
  rows.at(-1)?.push(cell.trim());
  return rows.filter((row) => row.some((each) => each !== ""));
}

const plain = (text: string) => text.trim().toLowerCase().replace(/[\s_-]+/g, " ");

const namesOf = ({ key, title }: SheetColumn): string[] => [key, key.replace(ADDRESS, ""), title.en, title.zh, shortTitle(title.en), shortTitle(title.zh)].map(plain);

/** The column a heading means: its name, or the one main column whose title it begins or ends (寄存器 of 寄存器地址). */
function columnNamed(text: string, columns: readonly SheetColumn[]): SheetColumn | undefined {
  const wanted = plain(text);
  const exact = (column: SheetColumn) => namesOf(column).includes(wanted);
  const main = columns.filter((column) => column.main);
  const near = wanted.length < 2 ? [] : main.filter(({ title }) => [title.en, title.zh].map(plain).some((name) => name.startsWith(wanted) || name.endsWith(wanted)));
  return main.find(exact) ?? (near.length === 1 ? near[0] : columns.find(exact));
}

/** The columns a first row names, or null if it is not a row of names: two of them, or all, must be known. */
export function headerOf(cells: readonly string[], columns: readonly SheetColumn[]): (SheetColumn | undefined)[] | null {
  const found = cells.map((text) => (text === "" ? undefined : columnNamed(text, columns)));
  const known = found.filter((column) => column !== undefined).length;
  return known >= Math.min(2, cells.length) && known > 0 ? found : null;
}

/** A choice as the driver names it, however it was written. */
function chosen(column: SheetColumn, text: string): string {
  if (column.kind !== "choice") return text;
  const wanted = plain(text);
  const known = column.choices.find((choice) => [choice, choiceWords(column, choice)?.en, choiceWords(column, choice)?.zh].some((name) => name !== undefined && plain(name) === wanted));
  return known ?? text;
}

export interface Pasted {
  rows: SheetRow[];
  /** Rows that were left out because an import holds no more. */
  left: number;
  /** Headings that no column has: what stands below them was left out. */
  unknown: string[];
}

/** Lay pasted cells over the sheet from one cell on, or by the names in their first row; new rows are added below. */
export function paste(rows: readonly SheetRow[], all: readonly SheetColumn[], shown: readonly SheetColumn[], at: { row: number; column: number }, text: string): Pasted {
  return lay(rows, all, shown, at, parsePaste(text));
}

/** The same for a table that was read from a file. */
export function lay(rows: readonly SheetRow[], all: readonly SheetColumn[], shown: readonly SheetColumn[], at: { row: number; column: number }, table: string[][]): Pasted {
  const header = headerOf(table[0] ?? [], all);
  const order = header ?? shown.slice(at.column);
  const body = header ? table.slice(1) : table;
  const next = [...rows];
  let left = 0;
  body.forEach((cells, index) => {
    const place = at.row + index;
    if (place >= ROWS_MAX) {
      left += 1;
      return;
    }
    while (next.length <= place) next.push(emptyRow());
    const row = next[place] as SheetRow;
    const entered = cells.flatMap((cell, number) => {
      const column = order[number];
      return column ? [[column.key, chosen(column, cell)] as const] : [];
    });
    next[place] = { ...row, cells: { ...row.cells, ...Object.fromEntries(entered) } };
  });
  return { rows: next, left, unknown: (header && table[0] ? table[0] : []).filter((name, number) => name !== "" && !order[number]) };
}

function said(key: keyof typeof connectWords, values: Values = {}): Words {
  return { en: fill(connectWords[key].en, values), zh: fill(connectWords[key].zh, values) };
}

const choiceWords = (column: SheetColumn, choice: string): Words | undefined => (connectWords as unknown as Record<string, Words | undefined>)[`${column.key === "kind" ? "kind" : "enum"}_${choice}`];

function notOneOf(column: SheetColumn, found: string): Words {
  const known = (language: keyof Words) => column.choices.map((choice) => choiceWords(column, choice)?.[language] ?? choice).join(", ");
  return { en: fill(connectWords.notOneOf.en, { found, known: known("en") }), zh: fill(connectWords.notOneOf.zh, { found, known: known("zh") }) };
}

function faultOfCell(column: SheetColumn, text: string): Words | null {
  const found = text.trim();
  if (found === "") return column.required ? (column.key === "name" ? said("nameNeeded") : NEEDED) : null;
  if (column.kind === "choice" && !column.choices.includes(found)) return notOneOf(column, found);
  if (column.kind !== "number" && column.kind !== "whole") return null;
  if (!NUMBER.test(found)) return said("notNumber", { found });
  const number = Number(found);
  if (column.kind === "whole" && !Number.isInteger(number)) return said("notWhole", { found });
  const outside = (column.min !== undefined && number < column.min) || (column.max !== undefined && number > column.max);
  return outside ? said("outOfRange", { found, min: column.min ?? "−∞", max: column.max ?? "∞" }) : null;
}

/** Where tags go and how they are called: `{line}/{device}/{name}` below an asset. */
export interface Naming {
  rule: string;
  /** Path of the asset everything lies below; empty: the rule's paths begin at the top. */
  base: string;
  create: boolean;
}
export const PLAIN_RULE = "{name}";
const MARK = /\{([^{}]*)\}/g;
const MARKS = ["area", "line", "device", "name", "description"];

/** What is wrong with a rule itself, null if nothing. */
export function faultOfRule(rule: string): Words | null {
  const unknown = [...rule.matchAll(MARK)].map(([, mark = ""]) => mark).find((mark) => !MARKS.includes(mark));
  if (unknown !== undefined) return said("ruleUnknown", { found: `{${unknown}}`, known: MARKS.map((mark) => `{${mark}}`).join(", ") });
  return (rule.split("/").at(-1) ?? "").includes(PLAIN_RULE) ? null : said("ruleEnds");
}

export interface Placed {
  asset: string;
  name: string;
  /** The first cell the rule needs and does not find. */
  missing: string | null;
}

/** Where the rule puts a row, and what it calls it there. */
export function placed({ cells }: SheetRow, { rule, base }: Naming): Placed {
  const missing = [...rule.matchAll(MARK)].map(([, mark = ""]) => mark).find((mark) => (cells[mark] ?? "").trim() === "") ?? null;
  const parts = rule.split("/").map((part) => part.replace(MARK, (_, mark: string) => (cells[mark] ?? "").trim()));
  const name = parts.pop() ?? "";
  return { asset: [base, ...parts].filter((part) => part !== "").join("/"), name, missing };
}

/** What can be seen to be wrong without asking the server. */
export function faultsOf(rows: readonly SheetRow[], columns: readonly SheetColumn[], naming?: Naming): RowFault[] {
  const faults: RowFault[] = [];
  const names = new Map<string, number>();
  rows.forEach((row, index) => {
    if (isBlank(row)) return;
    for (const column of columns) {
      const text = faultOfCell(column, row.cells[column.key] ?? "");
      if (text) faults.push({ rowKey: row.key, field: column.key, text });
    }
    const place = naming ? placed(row, naming) : null;
    if (place?.missing && place.missing !== "name") faults.push({ rowKey: row.key, field: place.missing, text: said("ruleNeeds") });
    const name = place ? `${place.asset}/${place.name}` : (row.cells.name ?? "").trim();
    const first = names.get(name);
    if ((row.cells.name ?? "").trim() !== "" && first !== undefined) faults.push({ rowKey: row.key, field: "name", text: said("sameName", { row: first + 1 }) });
    else names.set(name, index);
  });
  return faults;
}

const PLACES = new Set(["area", "line", "device"]);
function valueOf(column: SheetColumn, text: string): unknown {
  if (column.kind === "yes-no") return /^(true|yes|1|是)$/i.test(text);
  return (column.kind === "number" || column.kind === "whole") && NUMBER.test(text) ? Number(text) : text;
}

/** The kind of value a register holds, where the sheet does not say it. */
function kindFor(cells: SheetRow["cells"]): string | undefined {
  const type = cells[`${ADDRESS}type`];
  const table = cells[`${ADDRESS}table`];
  if (type === "string") return "text";
  if (type === "bit" || table === "coil" || table === "discrete") return "boolean";
  return undefined;
}

const WHOLE = /^u?int(8|16|32|64)$/;

/** How many decimals a row's values are shown with, where that is known: those it says, none of whole numbers. */
export function decimalsOf({ cells }: SheetRow): number | null {
  if (NUMBER.test(cells.decimals ?? "")) return Number(cells.decimals);
  const isScaled = [cells.gain || "1", cells.offset || "0"].some((text) => !Number.isInteger(Number(text)));
  return WHOLE.test(cells[`${ADDRESS}type`] ?? "") && !isScaled ? 0 : null;
}

/** A row as an import takes it: empty cells are left out, so that the server's defaults hold. */
export function itemOf(row: SheetRow, columns: readonly SheetColumn[], naming: Naming, connection: string | null): Record<string, unknown> {
  const place = placed(row, naming);
  const item: Record<string, unknown> = { asset: place.asset, ...(naming.create && { create_assets: true }) };
  const address: Record<string, unknown> = {};
  const limits: Record<string, unknown> = {};
  const implied = kindFor(row.cells);
  if (implied) item.kind = implied;
  const decimals = decimalsOf(row);
  if (decimals !== null) item.decimals = decimals;
  for (const column of columns) {
    const text = (row.cells[column.key] ?? "").trim();
    if (text === "" || PLACES.has(column.key)) continue;
    const value = valueOf(column, text);
    if (column.key.startsWith(ADDRESS)) address[column.key.slice(ADDRESS.length)] = value;
    else if (column.key.startsWith(LIMITS)) limits[column.key.slice(LIMITS.length)] = value;
    else if (column.key === "description") item.description = { en: text, zh: text };
    else item[column.key] = value;
  }
  item.name = place.name;
  if (Object.keys(limits).length > 0) item.limits = limits;
  if (row.writable) item.writable = true;
  if (row.words) item.words = row.words;
  return connection === null ? item : { ...item, connection, address };
}

/** The address and kind of a row, to read it before it is stored. */
export function previewOf(row: SheetRow, columns: readonly SheetColumn[]): { address: Record<string, unknown>; kind: string } {
  const { address, kind } = itemOf(row, columns, { rule: PLAIN_RULE, base: "", create: false }, "");
  return { address: address as Record<string, unknown>, kind: typeof kind === "string" ? kind : "float64" };
}

/** A tag of a template as a row of the sheet. */
export function rowOfTag(tag: TemplateTag): SheetRow {
  const cells: Record<string, string> = {};
  for (const [key, value] of Object.entries(tag)) {
    if (typeof value === "string" || typeof value === "number") cells[key] = String(value);
  }
  for (const [key, value] of Object.entries(tag.address)) cells[ADDRESS + key] = value === null ? "" : String(value);
  for (const [key, value] of Object.entries(tag.limits ?? {})) cells[LIMITS + key] = String(value);
  cells.description = tag.description?.en ?? "";
  return { ...emptyRow(), cells, ...(tag.writable && { writable: true }), ...(tag.words && { words: tag.words }) };
}
