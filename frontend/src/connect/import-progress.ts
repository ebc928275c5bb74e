import { formatCount } from "../format/number";
import { type Say, useWords } from "../words";
import { importWords } from "../words/imports";
import type { ImportState } from "./import-types";

type Progress = ImportState["progress"];

/** Seconds until the rest is done at the rate so far; null while there is none. */
export function leftSeconds({ done, total, rows_per_s }: Progress): number | null {
  return done > 0 && rows_per_s > 0 ? Math.max(0, Math.ceil((total - done) / rows_per_s)) : null;
}

/** Count, rate and time left as one sentence. */
export function useProgressText(): (progress: Progress) => string {
  const t = useWords(importWords);
  return (progress) => {
    const values = { done: formatCount(progress.done), total: formatCount(progress.total), rate: formatCount(progress.rows_per_s) };
    const left = leftSeconds(progress);
    if (left === null) return t("progressBegins", { total: values.total });
    return left < 90 ? t("progressSeconds", { ...values, left }) : t("progressMinutes", { ...values, left: Math.round(left / 60) });
  };
}

/** What became of an import, in one sentence. */
export function reportText(t: Say<typeof importWords>, { stage, report, progress }: Pick<ImportState, "stage" | "report" | "progress">): string {
  if (stage === "undone" && report) return t("undone", { n: formatCount(report.undone), kept: formatCount(report.kept) });
  if (stage === "checked" || !report) return t("progressDone", { done: formatCount(progress.done), total: formatCount(progress.total) });
  const { created, updated, unchanged, refused } = report;
  return t("loaded", { created: formatCount(created), updated: formatCount(updated), unchanged: formatCount(unchanged), refused: formatCount(refused), seconds: report.seconds });
}
