/** What is asked of a list, as it stands in the address: search, order, conditions, columns. */

import type { Control, Field } from "./fields";

export const COMPARISONS = ["eq", "ne", "lt", "le", "gt", "ge", "in"] as const;
export type Comparison = (typeof COMPARISONS)[number];
export interface Condition {
  field: string;
  compare: Comparison;
  /** null: nothing is entered. */
  value: unknown;
}
export interface Asked {
  search: string;
  /** A field, `-` before it for the last first; empty: the usual order. */
  sort: string;
  where: readonly Condition[];
  /** Empty: the usual columns. */
  columns: readonly string[];
}

const SIZES: readonly Comparison[] = ["eq", "ne", "ge", "le", "gt", "lt"];
const BY_CONTROL: Partial<Record<Control, readonly Comparison[]>> = {
  code: ["eq", "ne"],
  text: ["eq", "ne"],
  exact: SIZES,
  whole: SIZES,
  yes: ["eq"],
  choice: ["in", "ne"],
  day: ["ge", "le", "eq"],
  moment: ["ge", "lt"],
  unit: ["eq", "ne"],
  link: ["eq", "ne"],
  uri: ["eq"],
};

/** How a field can be compared; those without any cannot be filtered by. */
export const comparisonsOf = ({ control, ways }: Field): readonly Comparison[] => ways ?? BY_CONTROL[control] ?? [];

/** `weight ge 5`: readable in the address, and any value comes back as it was. */
export const conditionText = ({ field, compare, value }: Condition) => `${field} ${compare} ${JSON.stringify(value)}`;

export function conditionOf(text: string, fields: readonly Field[]): Condition | null {
  const [, name, compare, value] = /^(\w+) (\w+) (.+)$/s.exec(text) ?? [];
  const field = fields.find((each) => each.name === name);
  if (!field || value === undefined || !comparisonsOf(field).includes(compare as Comparison)) return null;
  try {
    return { field: field.name, compare: compare as Comparison, value: JSON.parse(value) as unknown };
  } catch {
    return null;
  }
}

/** Read the address; what the kind does not know is passed over. */
export function readAsked(params: URLSearchParams, fields: readonly Field[]): Asked {
  const known = new Set(fields.map(({ name }) => name));
  const sort = params.get("sort") ?? "";
  return {
    search: params.get("search") ?? "",
    sort: known.has(sort.replace(/^-/, "")) ? sort : "",
    where: params.getAll("where").flatMap((text) => conditionOf(text, fields) ?? []),
    columns: (params.get("columns") ?? "").split(",").filter((name) => known.has(name)),
  };
}

/** Write it to the address; what else stands there stays. */
export function writeAsked(params: URLSearchParams, asked: Asked): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const name of ["search", "sort", "where", "columns"]) next.delete(name);
  if (asked.search !== "") next.set("search", asked.search);
  if (asked.sort !== "") next.set("sort", asked.sort);
  for (const condition of asked.where) next.append("where", conditionText(condition));
  if (asked.columns.length > 0) next.set("columns", asked.columns.join(","));
  return next;
}

/** Conditions as the interface takes and keeps them. */
export const whereText = (where: readonly Condition[]) => (where.length === 0 ? "" : JSON.stringify(where.map(({ field, compare, value }) => [field, compare, value])));

/** The conditions of such a text; none where it is not one. */
export function whereOf(text: string): Condition[] {
  try {
    return (JSON.parse(text) as [string, Comparison, unknown][]).map(([field, compare, value]) => ({ field, compare, value }));
  } catch {
    return [];
  }
}

export const toQuery = ({ search, sort, where }: Pick<Asked, "search" | "sort" | "where">) => ({ search: search.trim(), sort, where: whereText(where) });

export const isFiltered = ({ search, where }: Asked) => search.trim() !== "" || where.length > 0;

/** The order after its column's head was pressed: first to last, last to first, the usual one. */
export function nextSort(sort: string, name: string): string {
  return sort === name ? `-${name}` : sort === `-${name}` ? "" : name;
}
