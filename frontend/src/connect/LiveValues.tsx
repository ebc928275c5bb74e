import { useEffect, useState } from "react";
import { reasonOf, request } from "../api";
import { formatOf, plainValue } from "../components/value-text";
import { usePreferences } from "../preferences";
import { useZone } from "../session";
import type { SampleKind } from "../types";
import { signOf, useUnits } from "../units";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import type { Question } from "./Checks";
import { decimalsOf, previewOf, type SheetColumn, type SheetRow } from "./rows";
import type { Preview } from "./types";

const SHOWN = 100;
const EVERY_MS = 2000;
const TIMEOUT_MS = 45_000;
const GOOD = 192;
const UNCERTAIN = 64;

interface LiveValuesProps {
  question: Question;
  rows: readonly SheetRow[];
  columns: readonly SheetColumn[];
}

/** Values read again and again while the step is seen, without storing anything. */
function usePreview(body: string | null): { values: readonly Preview[] | null; error: unknown; count: number } {
  const [state, setState] = useState<{ values: readonly Preview[] | null; error: unknown; count: number }>({ values: null, error: null, count: 0 });
  useEffect(() => {
    if (body === null) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const read = () => {
      request("POST", "/connections/preview", { body: JSON.parse(body) as unknown, signal: abort.signal, timeoutMs: TIMEOUT_MS })
        .then((answer) => answer.json() as Promise<{ values: Preview[] }>)
        .then(
          ({ values }) => setState((before) => ({ values, error: null, count: before.count + 1 })),
          (error: unknown) => !abort.signal.aborted && setState((before) => ({ ...before, error })),
        )
        .finally(() => {
          if (!abort.signal.aborted) timer = setTimeout(read, EVERY_MS);
        });
    };
    read();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [body]);
  return state;
}

const WORDED: ReadonlySet<string> = new Set(["boolean", "enumeration", "text"]);

/** A value as the tag will show it: scaled, in words where it has some, without decimals where it is whole. */
export function shownValue(row: SheetRow, columns: readonly SheetColumn[], value: Preview["value"], language: "en" | "zh"): string {
  if (value === null) return "";
  const kind = previewOf(row, columns).kind as SampleKind;
  const number = typeof value === "number" && !WORDED.has(kind) ? value * Number(row.cells.gain || 1) + Number(row.cells.offset || 0) : value;
  return plainValue(number, formatOf({ unit_sign: "", decimals: decimalsOf(row), words: row.words ?? null, kind }), language);
}

/** What the device says right now, before anything is stored: scaled and in its unit, beside the raw value. */
export function LiveValues({ question, rows, columns }: LiveValuesProps) {
  const t = useWords(connectWords);
  const say = useSay();
  const zone = useZone();
  const { language } = usePreferences();
  const units = useUnits().value?.items ?? [];
  const first = rows.slice(0, SHOWN);
  const body = JSON.stringify({ ...question, tags: first.map((row) => previewOf(row, columns)) });
  const { values, error, count } = usePreview(first.length > 0 ? body : null);
  const word = ({ quality, text }: Preview) => (text ? say(text) : quality >= GOOD ? t("qualityGood") : quality >= UNCERTAIN ? t("qualityUncertain") : t("qualityBad"));
  const good = values?.filter(({ quality }) => quality >= GOOD).length ?? 0;
  return (
    <section aria-label={t("liveBefore")} className="ms-stack">
      <h2>{t("liveBefore")}</h2>
      {error ? <p className="ms-fault" role="alert">{say(reasonOf(error))}</p> : null}
      {values === null && !error ? <p role="status" className="ms-second">{t("readingValues")}…</p> : null}
      {values ? (
        <>
          <p role="status" className="ms-second" data-reads={count}>
            {t("goodOf", { good, n: values.length })} {rows.length > SHOWN ? t("firstOf", { n: SHOWN, total: rows.length }) : ""}
          </p>
          <div className="ms-scroll ms-preview">
            <table className="ms-table">
              <thead>
                <tr>
                  <th scope="col">{t("col_name")}</th>
                  <th scope="col" className="ms-grid-end">{t("value")}</th>
                  <th scope="col">{t("col_unit")}</th>
                  <th scope="col" className="ms-grid-end">{t("rawValue")}</th>
                  <th scope="col">{t("quality")}</th>
                  <th scope="col">{t("readAt")}</th>
                </tr>
              </thead>
              <tbody>
                {first.map((row, index) => {
                  const found = values[index];
                  if (!found) return null;
                  const bad = found.quality < GOOD;
                  const text = shownValue(row, columns, found.value, language);
                  return (
                    <tr key={row.key}>
                      <td className="ms-bold">{row.cells.name}</td>
                      <td className="ms-num ms-grid-end">{bad ? `✕ ${text === "" ? "" : `(${text})`}` : text}</td>
                      <td className="ms-third">{signOf(row.cells.unit ?? "", units)}</td>
                      <td className="ms-num ms-grid-end ms-third">{String(found.value ?? "–")}</td>
                      <td className={bad ? "ms-fault" : "ms-second"}>{word(found)}</td>
                      <td className="ms-num ms-third">{found.time_ms === null ? "–" : zone.time(found.time_ms)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        </>
      ) : null}
    </section>
  );
}
