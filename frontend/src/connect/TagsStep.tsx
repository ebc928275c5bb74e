import { useEffect, useMemo, useState } from "react";
import { Alert, Button, Checkbox } from "antd";
import { api } from "../api";
import { useFailed } from "../failed";
import type { Page, Tag } from "../types";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { AssetSelect, type ChosenAsset } from "./AssetSelect";
import { BrowseTree } from "./BrowseTree";
import type { Question } from "./Checks";
import { ADDRESS, columnsFor, emptyRow, faultsOf, isBlank, itemOf, type RowFault, ROWS_MAX, rowOfNode, type SheetColumn, type SheetRow, shortTitle } from "./rows";
import { Sheet } from "./Sheet";
import type { BrowseNode, BulkOutcome, Driver } from "./types";

const FAULTS_SHOWN = 50;
const KNOWN_MAX = 1000;

/** The rows of new tags and where they go; kept by the wizard so that Back loses nothing. */
export interface TagsDraft {
  asset: ChosenAsset | null;
  rows: readonly SheetRow[];
  faults: readonly RowFault[];
}

export const noTags = (): TagsDraft => ({ asset: null, rows: [emptyRow()], faults: [] });
export const filled = (rows: readonly SheetRow[]): SheetRow[] => rows.filter((row) => !isBlank(row));

/** Put the faults an import tells by row number beside their rows. */
export function faultsByRow(sent: readonly SheetRow[], { refused }: BulkOutcome): RowFault[] {
  return refused.flatMap(({ row, field, text }) => {
    const found = sent[row];
    return found ? [{ rowKey: found.key, field, text }] : [];
  });
}

interface TagsStepProps {
  driver: Driver;
  question: Question;
  connection: string | null;
  draft: TagsDraft;
  onChange: (draft: TagsDraft) => void;
  /** The asset is missing, and someone tried to go on. */
  assetMissing: boolean;
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

function Faults({ rows, columns, faults }: { rows: readonly SheetRow[]; columns: readonly SheetColumn[]; faults: readonly RowFault[] }) {
  const t = useWords(connectWords);
  const say = useSay();
  const numbers = new Map(rows.map(({ key }, index) => [key, index + 1]));
  const wrong = new Set(faults.map(({ rowKey }) => rowKey)).size;
  const named = (field: string) => {
    const column = columns.find(({ key }) => key === field);
    return column ? shortTitle(say(column.title)) : field === "address" ? t("address") : field || t("wholeRow");
  };
  return (
    <Alert
      type="error"
      role="alert"
      title={t("checkBad", { n: faults.length, rows: wrong })}
      description={
        <ul className="ms-fault-list">
          {faults.slice(0, FAULTS_SHOWN).map(({ rowKey, field, text }, index) => (
            <li key={index}>{t("rowFault", { row: numbers.get(rowKey) ?? 0, field: named(field), text: say(text) })}</li>
          ))}
          {faults.length > FAULTS_SHOWN ? <li>…</li> : null}
        </ul>
      }
    />
  );
}

/** Choose what to read: browse where the server lists it, else a sheet of rows. */
export function TagsStep({ driver, question, connection, draft, onChange, assetMissing }: TagsStepProps) {
  const t = useWords(connectWords);
  const failed = useFailed();
  const columns = useMemo(() => columnsFor(driver), [driver]);
  const [all, setAll] = useState(false);
  const [left, setLeft] = useState(0);
  const [checking, setChecking] = useState(false);
  const [outcome, setOutcome] = useState<BulkOutcome | null>(null);
  const keyField = columns.find(({ key, required }) => required && key.startsWith(ADDRESS))?.key.slice(ADDRESS.length);
  const stored = useKnownAddresses(connection, keyField);
  const { rows, faults, asset } = draft;
  const shown = all ? columns : columns.filter(({ main }) => main);
  const entered = filled(rows);
  const inSheet = useMemo(() => new Set(rows.map(({ cells }) => cells[`${ADDRESS}${keyField ?? ""}`] ?? "")), [rows, keyField]);
  const isKnown = ({ address }: BrowseNode) => {
    const place = keyField === undefined ? "" : String(address?.[keyField] ?? "");
    return stored.has(place) || inSheet.has(place);
  };
  const change = (next: readonly SheetRow[], changed: ReadonlySet<number>) => {
    setOutcome(null);
    onChange({ ...draft, rows: next.length === 0 ? [emptyRow()] : next, faults: faults.filter(({ rowKey }) => !changed.has(rowKey)) });
  };
  const add = (nodes: BrowseNode[]) => {
    const kept = [...entered, ...nodes.map(rowOfNode)];
    setLeft(Math.max(0, kept.length - ROWS_MAX));
    change(kept.slice(0, ROWS_MAX), new Set());
  };
  const check = async () => {
    const seen = faultsOf(entered, columns);
    onChange({ ...draft, faults: seen });
    setOutcome(null);
    if (seen.length > 0 || asset === null) return;
    setChecking(true);
    try {
      const answer = await api.post<BulkOutcome>("/tags/bulk", { dry_run: true, items: entered.map((row) => itemOf(row, columns, asset.id, connection)) });
      setOutcome(answer);
      onChange({ ...draft, faults: faultsByRow(entered, answer) });
    } catch (error) {
      failed(error);
    } finally {
      setChecking(false);
    }
  };
  const good = outcome && outcome.refused.length === 0 ? outcome : null;
  return (
    <div className="ms-stack">
      <div className="ms-row ms-wrap">
        <span>{t("tagsOnto")}</span>
        <AssetSelect value={asset} onChange={(chosen) => onChange({ ...draft, asset: chosen })} invalid={assetMissing && asset === null} />
        {assetMissing && asset === null ? <span className="ms-fault">{t("assetNeeded")}</span> : null}
      </div>
      {driver.browses ? (
        <section className="ms-panel">
          <h2>{t("browseTitle")}</h2>
          <div className="ms-panel-body">
            <BrowseTree question={question} isKnown={isKnown} onAdd={add} />
          </div>
        </section>
      ) : null}
      <section className="ms-panel">
        <div className="ms-panel-head ms-row ms-wrap">
          <h2>{t("sheet")}</h2>
          <span className="ms-third ms-num">{t("rowsCount", { n: entered.length })}</span>
          <span className="ms-grow" />
          <Checkbox checked={all} onChange={(event) => setAll(event.target.checked)}>
            {t("allColumns")}
          </Checkbox>
          <Button size="small" disabled={rows.length >= ROWS_MAX} onClick={() => change([...rows, emptyRow()], new Set())}>
            {t("addRow")}
          </Button>
          <Button size="small" disabled={entered.length === 0} onClick={() => change([], new Set(rows.map(({ key }) => key)))}>
            {t("clearRows")}
          </Button>
          <Button size="small" disabled={entered.length === 0 || asset === null} loading={checking} onClick={() => void check()}>
            {t("check")}
          </Button>
        </div>
        {left > 0 ? <Alert type="warning" title={t("rowsCut", { max: ROWS_MAX })} /> : null}
        {faults.length > 0 ? <Faults rows={rows} columns={columns} faults={faults} /> : null}
        {good ? (
          <p role="status" className="ms-sheet-hint">
            {t("checkGood", { n: entered.length, created: good.created, updated: good.updated })} {connection === null ? t("checkLater") : ""}
          </p>
        ) : null}
        <Sheet rows={rows} columns={columns} shown={shown} faults={faults} onChange={change} onLeft={setLeft} />
        <p className="ms-third ms-caption ms-sheet-hint">{t("sheetHint")}</p>
      </section>
    </div>
  );
}
