import { useEffect, useRef, useState } from "react";
import { Button, Input } from "antd";
import { api } from "../api";
import { PageState } from "../components/PageState";
import { useResource } from "../resource";
import { isTyping, lettersAreKeys } from "../shell/keys";
import type { Page } from "../types";
import { useSay, useWords } from "../words";
import { importWords } from "../words/imports";
import type { Cause, ImportState, RowFaultFound } from "./import-types";

interface Fix {
  field: string;
  value: string;
  row?: number;
  found?: string;
}

function Rows({ state, cause, onFix }: { state: ImportState; cause: Cause; onFix: (fixes: Fix[]) => Promise<void> }) {
  const t = useWords(importWords);
  const say = useSay();
  const [entered, setEntered] = useState<Record<number, string>>({});
  const faults = useResource(`${state.id} ${cause.cause} ${cause.count}`, (signal) => api.get<Page<RowFaultFound>>(`/imports/${state.id}/faults`, { cause: cause.cause, limit: 200 }, signal), true);
  return (
    <PageState state={faults} rows={3}>
      {({ items }) => (
        <div className="ms-scroll">
          <table className="ms-table">
            <thead>
              <tr>
                <th scope="col" className="ms-grid-end">{t("row")}</th>
                <th scope="col">{t("found")}</th>
                <th scope="col">{t("reason")}</th>
                <th scope="col">{t("fix")}</th>
              </tr>
            </thead>
            <tbody>
              {items.map(({ row, field, column, found, text, suggestion }) => (
                <tr key={`${row} ${field}`}>
                  <td className="ms-num ms-grid-end">{row}</td>
                  <td className="ms-code">{found || "–"}</td>
                  <td>{say(text)}</td>
                  <td>
                    {column ? (
                      <span className="ms-row">
                        <Input size="small" aria-label={`${t("fix")} ${row}`} value={entered[row] ?? (suggestion || found)} onChange={(event) => setEntered({ ...entered, [row]: event.target.value })} />
                        <Button size="small" onClick={() => void onFix([{ field, row, value: entered[row] ?? (suggestion || found) }])}>
                          {t("fix")}
                        </Button>
                      </span>
                    ) : null}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </PageState>
  );
}

function Everywhere({ cause, onFix }: { cause: Cause; onFix: (fixes: Fix[]) => Promise<void> }) {
  const t = useWords(importWords);
  const [value, setValue] = useState(cause.suggestion);
  if (cause.column === "" || cause.found === "") return null;
  return (
    <span className="ms-row">
      <Input size="small" className="ms-fix-value" aria-label={t("replaceHow", { found: cause.found, column: cause.column })} value={value} onChange={(event) => setValue(event.target.value)} />
      <Button size="small" disabled={value === ""} onClick={() => void onFix([{ field: cause.field, found: cause.found, value }])}>
        {t("replaceAll")}
      </Button>
    </span>
  );
}

/** Faults by cause; each can be put right once for all, or row by row. Keys n and p go from one to the next. */
export function ImportCauses({ state, onFix, onCreateAssets }: { state: ImportState; onFix: (fixes: Fix[]) => Promise<void>; onCreateAssets: () => Promise<void> }) {
  const t = useWords(importWords);
  const say = useSay();
  const [open, setOpen] = useState<string | null>(null);
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !lettersAreKeys()) return;
      if (event.key !== "n" && event.key !== "p") return;
      const titles = [...(list.current?.querySelectorAll<HTMLElement>(".ms-cause-title") ?? [])];
      const at = titles.findIndex((title) => title.closest("li")?.contains(document.activeElement));
      const next = event.key === "n" ? (at + 1) % titles.length : (at <= 0 ? titles.length : at) - 1;
      titles[next]?.focus();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
  useEffect(() => setOpen(null), [state.id]);
  if (state.causes.length === 0) return <p role="status">{t("noFaults")}</p>;
  return (
    <section className="ms-panel" aria-label={t("causes")}>
      <h2>{t("causes")}</h2>
      <ul ref={list} className="ms-causes">
        {state.causes.map((cause) => (
          <li key={cause.cause}>
            <div className="ms-row ms-wrap">
              <button type="button" className="ms-plain ms-cause-title" aria-expanded={open === cause.cause} onClick={() => setOpen(open === cause.cause ? null : cause.cause)}>
                <span className="ms-num ms-bold">{cause.count}</span> <span>{cause.column ? `${cause.column}: ` : ""}{say(cause.title)}</span>{" "}
                <span className="ms-code ms-third">{cause.found}</span>
              </button>
              <span className="ms-grow" />
              {cause.field === "asset" && !state.options.create_assets ? (
                <Button size="small" onClick={() => void onCreateAssets()}>
                  {t("createAssets")}
                </Button>
              ) : null}
              <Everywhere cause={cause} onFix={onFix} />
            </div>
            {open === cause.cause ? <Rows state={state} cause={cause} onFix={onFix} /> : null}
          </li>
        ))}
      </ul>
    </section>
  );
}
