import { useId, useState } from "react";
import { Button, Checkbox, Input, Select } from "antd";
import { useWords } from "../words";
import { historyImportWords } from "../words/history-imports";
import { type HistoryImport, type Layout, TIME_UNITS } from "./history-import";

type Column = "time" | "tag" | "value" | "quality";

/** How a file is read: which columns are what, of what form its times are, which zone they mean. */
export function HistoryLayout({ state, onCheck }: { state: HistoryImport; onCheck: (layout: Layout) => Promise<void> }) {
  const t = useWords(historyImportWords);
  const id = useId();
  const [layout, setLayout] = useState(state.layout);
  const [busy, setBusy] = useState(false);
  const columns = state.columns ?? [];
  const lines = layout.format === "influx";
  const set = (change: Partial<Layout>) => setLayout({ ...layout, ...change });
  const options = columns.map((column) => ({ value: column, label: column }));
  const asked: Column[] = lines ? [] : layout.form === "long" ? ["time", "tag", "value", "quality"] : ["time"];
  const ready = lines ? layout.rule.trim() !== "" : asked.every((column) => column === "quality" || layout[column] !== "");
  const check = async () => {
    setBusy(true);
    await onCheck({ ...layout, zone: layout.zone.trim() });
    setBusy(false);
  };
  return (
    <div className="ms-stack">
      <section className="ms-panel">
        <h2>{t("howRead")}</h2>
        <div className="ms-panel-body ms-map-fields">
          {lines ? (
            <div>
              <label htmlFor={`${id}-rule`}>{t("rule")}</label>
              <Input id={`${id}-rule`} className="ms-code" value={layout.rule} maxLength={300} onChange={(event) => set({ rule: event.target.value })} />
              <p className="ms-third ms-caption">{t("ruleHint", { example: "{site}/{measurement}/{field}" })}</p>
            </div>
          ) : (
            <div>
              <label htmlFor={`${id}-form`}>{t("form")}</label>
              <Select id={`${id}-form`} className="ms-asset-select" value={layout.form} onChange={(form) => set({ form })} options={[{ value: "long", label: t("long") }, { value: "wide", label: t("wide") }]} />
            </div>
          )}
          {asked.map((column) => (
            <div key={column}>
              <label htmlFor={`${id}-${column}`}>{t(`${column}Column`)}</label>
              <Select
                id={`${id}-${column}`}
                className="ms-asset-select"
                showSearch
                value={layout[column]}
                onChange={(chosen) => set({ [column]: chosen })}
                options={[{ value: "", label: column === "quality" ? t("none") : t("choose") }, ...options]}
              />
            </div>
          ))}
          {!lines && layout.form === "wide" ? (
            <div>
              <label htmlFor={`${id}-out`}>{t("leftOut")}</label>
              <Select id={`${id}-out`} className="ms-asset-select" mode="multiple" maxTagCount={3} value={layout.left_out} onChange={(left_out) => set({ left_out })} options={options.filter(({ value }) => value !== layout.time)} />
            </div>
          ) : null}
          <div>
            <label htmlFor={`${id}-unit`}>{t("timeUnit")}</label>
            <Select id={`${id}-unit`} className="ms-asset-select" value={layout.time_unit} onChange={(time_unit) => set({ time_unit })} options={TIME_UNITS.map((unit) => ({ value: unit, label: t(`unit_${unit}`) }))} />
          </div>
          {lines ? null : (
            <div>
              <label htmlFor={`${id}-zone`}>{t("zone")}</label>
              <Input id={`${id}-zone`} value={layout.zone} maxLength={64} onChange={(event) => set({ zone: event.target.value })} />
            </div>
          )}
          <div>
            <label htmlFor={`${id}-prefix`}>{t("prefix")}</label>
            <Input id={`${id}-prefix`} className="ms-code" value={layout.prefix} maxLength={300} onChange={(event) => set({ prefix: event.target.value })} />
            <p className="ms-third ms-caption">{t("prefixHint")}</p>
          </div>
          {layout.format === "csv" ? (
            <Checkbox checked={layout.decimal_comma} onChange={(event) => set({ decimal_comma: event.target.checked })}>
              {t("decimalComma")}
            </Checkbox>
          ) : null}
        </div>
      </section>
      <section className="ms-panel">
        <h2>{t("firstRows")}</h2>
        <div className="ms-scroll" tabIndex={0} role="group" aria-label={t("firstRows")}>
          <table className="ms-table">
            {columns.length > 0 ? (
              <thead>
                <tr>
                  {columns.map((column, index) => (
                    <th key={index} scope="col">
                      {column}
                    </th>
                  ))}
                </tr>
              </thead>
            ) : null}
            <tbody>
              {(state.rows ?? []).map((row, index) => (
                <tr key={index}>
                  {row.map((cell, place) => (
                    <td key={place} className="ms-code ms-second">
                      {cell}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
      <div className="ms-actions">
        <Button type="primary" loading={busy} disabled={!ready} onClick={() => void check()}>
          {t("check")}
        </Button>
        <span className="ms-third">{t("writesNothing")}</span>
      </div>
    </div>
  );
}
