import type { Words } from "../types";

export type Stage = "columns" | "checking" | "checked" | "loading" | "loaded" | "cancelled" | "failed" | "undoing" | "undone" | "interrupted";
export const WORKING: ReadonlySet<Stage> = new Set<Stage>(["checking", "loading", "undoing"]);

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
