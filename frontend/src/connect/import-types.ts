import type { Words } from "../types";

export type Stage = "columns" | "checking" | "checked" | "loading" | "loaded" | "cancelled" | "failed" | "undoing" | "undone" | "interrupted";
export const WORKING: ReadonlySet<Stage> = new Set<Stage>(["checking", "loading", "undoing"]);

/** What the sheets of an import fill: tags, or records of a kind. */
export interface Filled {
  kind: string;
  /** What the records are called; of tags nothing is said. */
  many: Words | null;
  /** Where imports begin, and where what they load is seen. */
  home: string;
  list: string;
  /** Fields by which a row finds what is there already. */
  keys: readonly string[];
  /** Exports of other systems that these come from, too. */
  sources?: readonly { name: string; words: Words }[];
}
export const TAGS: Filled = { kind: "tag", many: null, home: "/connect/import", list: "/plant", keys: ["name", "asset"] };

export interface ImportColumn {
  title: string;
  sample: string;
  field: string | null;
  sure: boolean;
}
export interface Counts {
  created: number;
  updated: number;
  unchanged: number;
  refused: number;
}
export interface Cause {
  cause: string;
  field: string;
  column: string;
  title: Words;
  found: string;
  suggestion: string;
  count: number;
  rows: number[];
}
export interface ImportOptions {
  mapping: Record<string, string>;
  rule: string;
  base: string;
  connection: string;
  create_assets: boolean;
}
export interface ImportState {
  id: string;
  name: string;
  /** What the file fills: tags, a kind, or an export of another system. */
  kind?: string;
  created_ms: number;
  stage: Stage;
  rows: number;
  columns: ImportColumn[];
  options: Partial<ImportOptions>;
  progress: { done: number; total: number; started_ms: number; rows_per_s: number };
  counts: Counts | null;
  causes: Cause[];
  report: (Counts & { seconds: number; undone: number; kept: number }) | null;
  text: Words | null;
}
export interface RowFaultFound {
  row: number;
  field: string;
  column: string;
  found: string;
  text: Words;
  suggestion: string;
}
export interface ImportField {
  key: string;
  title: Words;
  required: boolean;
}
