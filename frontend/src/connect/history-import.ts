import { api, ApiError, request } from "../api";
import { formatCount } from "../format/number";
import type { Words } from "../types";
import { useWords } from "../words";
import { historyImportWords } from "../words/history-imports";
import { leftSeconds } from "./import-progress";

export type HistoryStage = "uploading" | "columns" | "checking" | "checked" | "loading" | "loaded" | "cancelled" | "failed" | "interrupted";
export const TIME_UNITS = ["auto", "iso", "s", "ms", "us", "ns"] as const;

export interface Layout {
  format: "csv" | "parquet" | "influx";
  form: "long" | "wide";
  time: string;
  tag: string;
  value: string;
  quality: string;
  left_out: string[];
  time_unit: (typeof TIME_UNITS)[number];
  zone: string;
  delimiter: string;
  decimal_comma: boolean;
  encoding: string;
  rule: string;
  prefix: string;
}
export interface HistoryCounts {
  rows: number;
  values: number;
  refused: number;
  empty: number;
  unknown_rows: number;
  unknown_names: number;
  first_ms: number | null;
  last_ms: number | null;
}
export interface HistoryReport extends HistoryCounts {
  stored: number;
  there: number;
  old: number;
  seconds: number;
}
export interface HistoryImport {
  id: string;
  name: string;
  bytes: number;
  received: number;
  created_ms: number;
  stage: HistoryStage;
  layout: Layout;
  columns?: string[];
  rows?: string[][];
  counts: HistoryCounts | null;
  causes: { cause: string; text: Words; count: number; line: number }[];
  unknown: { name: string; count: number; line: number }[];
  report: HistoryReport | null;
  created: number;
  create_below: string | null;
  text: Words | null;
  progress: { done: number; total: number; started_ms: number; rows_per_s: number };
}

export const HISTORY_FILES = ".csv,.tsv,.txt,.parquet,.lp,.influx";
const PART_BYTES = 4 * 2 ** 20;
const PART_MS = 120_000;
const TRIES = 20;
const WAIT_MS = 1500;
const MEGABYTE = 1e6;

/** Bytes as megabytes. */
export const megabytes = (bytes: number) => formatCount(Math.round(bytes / MEGABYTE));

/** Send what is missing of a file, part by part; a break of the line is waited for, and sending goes on behind what has come. */
export async function sendFile(file: File, begun: HistoryImport | null, told: (state: HistoryImport) => void, signal: AbortSignal): Promise<HistoryImport> {
  let state = begun ?? (await api.post<HistoryImport>("/history/imports", { name: file.name.slice(0, 200), bytes: file.size }, signal));
  let failures = 0;
  while (state.stage === "uploading") {
    told(state);
    signal.throwIfAborted();
    const offset = state.received;
    try {
      const part = file.slice(offset, offset + PART_BYTES);
      const answer = await request("PUT", `/history/imports/${state.id}/content`, { query: { offset }, file: part, signal, timeoutMs: PART_MS });
      state = (await answer.json()) as HistoryImport;
      failures = 0;
    } catch (error) {
      const passing = error instanceof ApiError && (error.status === 0 || error.status === 409 || error.status >= 502);
      failures += 1;
      if (!passing || failures > TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
      state = await api.get<HistoryImport>(`/history/imports/${state.id}`, {}, signal).catch(() => state);
    }
  }
  return state;
}

/** Count, rate and time left as one sentence. */
export function useHistoryProgress(): (progress: HistoryImport["progress"]) => string {
  const t = useWords(historyImportWords);
  return (progress) => {
    const left = leftSeconds(progress);
    if (left === null) return t("progressBegins");
    const values = { done: formatCount(progress.done), total: formatCount(progress.total), rate: formatCount(progress.rows_per_s) };
    return left < 90 ? t("progressSeconds", { ...values, left }) : t("progressMinutes", { ...values, left: Math.round(left / 60) });
  };
}
