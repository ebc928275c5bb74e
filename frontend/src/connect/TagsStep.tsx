import { useEffect, useMemo, useState } from "react";
import { Alert, Button, Checkbox } from "antd";
import { api, download, request } from "../api";
import { useFailed } from "../failed";
import { usePreferences } from "../preferences";
import type { Page, Tag } from "../types";
import { useUnits, written } from "../units";
import { useWords } from "../words";
import { connectWords } from "../words/connect";
import { BrowseTree } from "./BrowseTree";
import type { Question } from "./Checks";
import { Faults } from "./Faults";
import { FileButton } from "./FileButton";
import { MappingTry } from "./MappingTry";
import { ADDRESS, columnsFor, emptyRow, lay, type Pasted, ROWS_MAX, rowOfNode, type SheetRow } from "./rows";
import { Sheet } from "./Sheet";
import { filled, type TagsDraft } from "./tags-draft";
import type { BrowseNode, Driver } from "./types";

const KNOWN_MAX = 1000;
export const SHEET_FILES = ".xlsx,.csv,.tsv,.txt";

interface TagsStepProps {
  driver: Driver;
  question: Question;
  connection: string | null;
  draft: TagsDraft;
  onChange: (draft: TagsDraft) => void;
}

/** The node addresses that tags of this connection read already. */
function useKnownAddresses(connection: string | null, field: string | undefined): ReadonlySet<string> {
  const [known, setKnown] = useState<ReadonlySet<string>>(new Set());
  useEffect(() => {
    if (connection === null || field === undefined) return;
    const abort = new AbortController();
    api.get<Page<Tag>>("/tags", { connection, limit: KNOWN_MAX }, abort.signal).then(
      ({ items }) => setKnown(new Set(items.map(({ address }) => String(address?.[field] ?? "")))),
      () => undefined,
    );
    return () => abort.abort();
  }, [connection, field]);
  return known;
}

/** Choose what to read: browse where the server lists it, paste or upload a sheet, or type rows. */
export function TagsStep({ driver, question, connection, draft, onChange }: TagsStepProps) {
  const t = useWords(connectWords);
  const failed = useFailed();
  const { language } = usePreferences();
  const columns = useMemo(() => columnsFor(driver), [driver]);
  const [all, setAll] = useState(false);
  const units = useUnits().value?.items ?? [];
  const [{ left, unknown }, setPasted] = useState<Pick<Pasted, "left" | "unknown">>({ left: 0, unknown: [] });
  const [reading, setReading] = useState(false);
  const keyField = columns.find(({ key, required }) => required && key.startsWith(ADDRESS))?.key.slice(ADDRESS.length);
  const stored = useKnownAddresses(connection, keyField);
  const { rows, faults } = draft;
  const shown = columns.filter(({ main, step }) => step !== "map" && (all || main));
  const entered = filled(rows);
  const inSheet = useMemo(() => new Set(rows.map(({ cells }) => cells[`${ADDRESS}${keyField ?? ""}`] ?? "")), [rows, keyField]);
  const isKnown = ({ address }: BrowseNode) => {
    const place = keyField === undefined ? "" : String(address?.[keyField] ?? "");
    return stored.has(place) || inSheet.has(place);
  };
  const change = (next: readonly SheetRow[], changed: ReadonlySet<number>) =>
    onChange({ ...draft, rows: next.length === 0 ? [emptyRow()] : next, faults: faults.filter(({ rowKey }) => !changed.has(rowKey)) });
  const add = (fresh: SheetRow[]) => {
    const kept = [...entered, ...fresh];
    setPasted({ left: Math.max(0, kept.length - ROWS_MAX), unknown: [] });
    change(kept.slice(0, ROWS_MAX), new Set());
  };
  const read = async (file: File) => {
    setReading(true);
    try {
      const answer = await request("POST", "/imports/read", { query: { name: file.name.slice(0, 200) }, file });
      const table = (await answer.json()) as { rows: string[][]; left: number };
      const result = lay(entered, columns, shown, { row: entered.length, column: 0 }, table.rows);
      setPasted({ ...result, left: table.left + result.left });
      change(result.rows, new Set());
    } catch (error) {
      failed(error);
    } finally {
      setReading(false);
    }
  };
  const rowOf = (node: BrowseNode) => rowOfNode({ ...node, unit: written(node.unit, units) });
  const template = () => download("GET", "/imports/template", { query: { driver: driver.name, format: "xlsx", language } }, "tags.xlsx").catch(failed);
  return (
    <div className="ms-stack">
      {driver.browses ? (
        <section className="ms-panel">
          <h2>{t(driver.name === "mqtt" ? "browseMessages" : "browseTitle")}</h2>
          <div className="ms-panel-body">
            <BrowseTree question={question} isKnown={isKnown} onAdd={(nodes) => add(nodes.map(rowOf))} />
          </div>
        </section>
      ) : null}
      {driver.name === "mqtt" ? <MappingTry question={question} onAdd={add} /> : null}
      <section className="ms-panel">
        <div className="ms-panel-head ms-row ms-wrap">
          <h2>{t("sheet")}</h2>
          <span className="ms-third ms-num">{t("rowsCount", { n: entered.length })}</span>
          <span className="ms-grow" />
          <Checkbox checked={all} onChange={(event) => setAll(event.target.checked)}>
            {t("allColumns")}
          </Checkbox>
          <FileButton accept={SHEET_FILES} size="small" busy={reading} onFile={(file) => void read(file)}>
            {t("uploadSheet")}
          </FileButton>
          <Button size="small" onClick={() => void template()}>
            {t("emptySheet")}
          </Button>
          <Button size="small" disabled={rows.length >= ROWS_MAX} onClick={() => change([...rows, emptyRow()], new Set())}>
            {t("addRow")}
          </Button>
          <Button size="small" disabled={entered.length === 0} onClick={() => change([], new Set(rows.map(({ key }) => key)))}>
            {t("clearRows")}
          </Button>
        </div>
        {unknown.length > 0 ? <Alert type="warning" title={t("columnsUnknown", { names: unknown.slice(0, 10).join(", ") })} /> : null}
        {left > 0 ? <Alert type="warning" title={t("rowsCut", { max: ROWS_MAX })} /> : null}
        {faults.length > 0 ? <Faults rows={rows} columns={columns} faults={faults} /> : null}
        <Sheet rows={rows} columns={columns} shown={shown} faults={faults} onChange={change} onPasted={setPasted} />
        <p className="ms-third ms-caption ms-sheet-hint">{t("sheetHint")}</p>
      </section>
    </div>
  );
}
