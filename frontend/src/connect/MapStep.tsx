import { useId, useMemo, useState } from "react";
import { Button, Checkbox, Input } from "antd";
import { request } from "../api";
import { useFailed } from "../failed";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { AssetSelect } from "./AssetSelect";
import { Faults } from "./Faults";
import { columnsFor, faultOfRule, faultsOf, itemOf, type Naming, placed, type SheetColumn, type SheetRow } from "./rows";
import { Sheet } from "./Sheet";
import { faultsByRow, filled, namingOf, needsAsset, type TagsDraft } from "./tags-draft";
import type { BulkOutcome, Driver } from "./types";

/** Ten thousand rows take a few seconds; a busy server longer. */
export const BULK_MS = 120_000;

interface MapStepProps {
  driver: Driver;
  connection: string | null;
  draft: TagsDraft;
  onChange: (draft: TagsDraft) => void;
  /** The asset is missing, and someone tried to go on. */
  assetMissing: boolean;
}

/** What the server says of rows, without storing them. */
export async function checkedRows(rows: readonly SheetRow[], columns: readonly SheetColumn[], naming: Naming, connection: string | null): Promise<BulkOutcome> {
  const items = rows.map((row) => itemOf(row, columns, naming, connection));
  return (await (await request("POST", "/tags/bulk", { body: { dry_run: true, items }, timeoutMs: BULK_MS })).json()) as BulkOutcome;
}

/** Say what the rows mean: where they go in the plant, how they are called, unit, scaling, limits. */
export function MapStep({ driver, connection, draft, onChange, assetMissing }: MapStepProps) {
  const t = useWords(connectWords);
  const say = useSay();
  const failed = useFailed();
  const id = useId();
  const columns = useMemo(() => columnsFor(driver), [driver]);
  const [all, setAll] = useState(false);
  const [checking, setChecking] = useState(false);
  const [outcome, setOutcome] = useState<BulkOutcome | null>(null);
  const { rows, faults, asset, rule, create } = draft;
  const entered = filled(rows);
  const naming = namingOf(draft);
  const ruleFault = faultOfRule(rule);
  const shown = columns.filter(({ key, main, step }) => step !== "tags" && (all || main || rule.includes(`{${key}}`)));
  const change = (next: Partial<TagsDraft>) => {
    setOutcome(null);
    onChange({ ...draft, ...next });
  };
  const changeRows = (next: readonly SheetRow[], changed: ReadonlySet<number>) => change({ rows: next, faults: faults.filter(({ rowKey }) => !changed.has(rowKey)) });
  const check = async () => {
    const seen = faultsOf(entered, columns, naming);
    change({ faults: seen });
    if (seen.length > 0) return;
    setChecking(true);
    try {
      const answer = await checkedRows(entered, columns, naming, connection);
      setOutcome(answer);
      onChange({ ...draft, faults: faultsByRow(entered, answer) });
    } catch (error) {
      failed(error);
    } finally {
      setChecking(false);
    }
  };
  const missing = assetMissing && asset === null && needsAsset(draft);
  const good = outcome && outcome.refused.length === 0 ? outcome : null;
  if (entered.length === 0) return <p className="ms-second">{t("nothingToMap")}</p>;
  return (
    <div className="ms-stack">
      <section className="ms-panel">
        <div className="ms-panel-body ms-map-fields">
          <div>
            <label htmlFor={`${id}-rule`}>{t("nameRule")}</label>
            <Input id={`${id}-rule`} className="ms-code" value={rule} maxLength={200} status={ruleFault ? "error" : ""} onChange={(event) => change({ rule: event.target.value })} />
            <p className={ruleFault ? "ms-fault ms-caption" : "ms-third ms-caption"}>{ruleFault ? say(ruleFault) : t("nameRuleHint")}</p>
          </div>
          <div>
            <label htmlFor={`${id}-asset`}>{t("tagsOnto")}</label>
            <AssetSelect id={`${id}-asset`} value={asset} onChange={(chosen) => change({ asset: chosen })} invalid={missing} />
            <p className={missing ? "ms-fault ms-caption" : "ms-third ms-caption"}>{missing ? t("assetNeeded") : t("baseHint")}</p>
          </div>
          <Checkbox checked={create} onChange={(event) => change({ create: event.target.checked })}>
            {t("createAssets")}
          </Checkbox>
        </div>
      </section>
      <section className="ms-panel">
        <div className="ms-panel-head ms-row ms-wrap">
          <h2>{t("mapSheet")}</h2>
          <span className="ms-third ms-num">{t("rowsCount", { n: entered.length })}</span>
          <span className="ms-grow" />
          <Checkbox checked={all} onChange={(event) => setAll(event.target.checked)}>
            {t("allColumns")}
          </Checkbox>
          <Button size="small" disabled={ruleFault !== null || (asset === null && needsAsset(draft))} loading={checking} onClick={() => void check()}>
            {t("check")}
          </Button>
        </div>
        {faults.length > 0 ? <Faults rows={rows} columns={columns} faults={faults} /> : null}
        {good ? (
          <p role="status" className="ms-sheet-hint">
            {t("checkGood", { n: entered.length, created: good.created, updated: good.updated })} {connection === null ? t("checkLater") : ""}
          </p>
        ) : null}
        <Sheet
          rows={rows}
          columns={columns}
          shown={shown}
          faults={faults}
          onChange={changeRows}
          onPasted={() => undefined}
          computed={{
            title: t("becomes"),
            width: 240,
            text: (row) => {
              const place = placed(row, naming);
              return place.name === "" ? "" : `${place.asset}/${place.name}`;
            },
          }}
        />
        <p className="ms-third ms-caption ms-sheet-hint">{t("mapHint")}</p>
      </section>
    </div>
  );
}
