import { useId, useState } from "react";
import { Button, Checkbox, Input, Select } from "antd";
import { api, reasonOf } from "../api";
import { formatCount } from "../format/number";
import { useResource } from "../resource";
import type { Page } from "../types";
import { useSay, useWords } from "../words";
import { importWords } from "../words/imports";
import { AssetSelect, type ChosenAsset } from "./AssetSelect";
import { type Filled, type ImportField, type ImportOptions, type ImportState, TAGS } from "./import-types";
import type { Connection } from "./types";

/** Which column is what: guessed with a sample value, unsure ones marked; and where the rows go. */
export function ImportColumns({ filled, state, onCheck }: { filled: Filled; state: ImportState; onCheck: (options: ImportOptions) => Promise<void> }) {
  const t = useWords(importWords);
  const say = useSay();
  const id = useId();
  const { columns, options } = state;
  const tags = filled === TAGS;
  const [mapping, setMapping] = useState<Record<string, string>>(() => options.mapping ?? Object.fromEntries(columns.flatMap(({ field }, index) => (field ? [[index, field]] : []))));
  const [touched, setTouched] = useState<ReadonlySet<number>>(new Set());
  const [rule, setRule] = useState(options.rule ?? "");
  const [asset, setAsset] = useState<ChosenAsset | null>(options.base ? { id: options.base, name: options.base, path: options.base } : null);
  const [connection, setConnection] = useState(options.connection ?? "");
  const [create, setCreate] = useState(options.create_assets ?? false);
  const [busy, setBusy] = useState(false);
  const [all, setAll] = useState(false);
  const blank = columns.filter(({ sample }) => sample === "").length;
  const empty = blank < columns.length ? blank : 0;
  const needed = useResource(`import-fields ${filled.kind}`, async (signal) => {
    const [fields, connections] = await Promise.all([
      api.get<Page<ImportField>>("/imports/fields", { kind: filled.kind }, signal),
      tags ? api.get<Page<Connection>>("/connections", { limit: 1000 }, signal) : { items: [] },
    ]);
    return { fields: fields.items, connections: connections.items };
  });
  const fields = needed.value?.fields ?? [];
  const taken = new Set(Object.values(mapping));
  const missing = tags ? !taken.has("name") : fields.some(({ key, required }) => required && filled.keys.includes(key) && !taken.has(key));
  const choices = (own: string | undefined) => [
    { value: "", label: t("leftOut") },
    ...fields.map(({ key, title }) => ({ value: key, label: `${say(title)}${filled.keys.includes(key) ? ` (${t("keyField")})` : ""}`, disabled: taken.has(key) && key !== own })),
  ];
  const choose = (index: number, field: string) => {
    const rest = Object.entries(mapping).filter(([column]) => column !== String(index));
    setMapping(Object.fromEntries(field === "" ? rest : [...rest, [index, field]]));
    setTouched(new Set([...touched, index]));
  };
  const check = async () => {
    setBusy(true);
    await onCheck({ mapping, rule: rule.trim(), base: asset?.path ?? "", connection, create_assets: create });
    setBusy(false);
  };
  return (
    <div className="ms-stack">
      <section className="ms-panel">
        <h2>{t("whatColumns")}</h2>
        <div className="ms-scroll">
          <table className="ms-table">
            <thead>
              <tr>
                <th scope="col">{t("column")}</th>
                <th scope="col">{t("sample")}</th>
                <th scope="col">{t("is")}</th>
              </tr>
            </thead>
            <tbody>
              {columns.map(({ title, sample, sure, field }, index) => {
                if (sample === "" && empty > 0 && !all) return null;
                const own = mapping[String(index)];
                const doubtful = !sure && field !== null && !touched.has(index);
                return (
                  <tr key={index}>
                    <td className="ms-bold">{title}</td>
                    <td className="ms-code ms-second">{sample}</td>
                    <td>
                      <Select className="ms-import-field" size="small" showSearch={{ optionFilterProp: "label" }} aria-label={`${t("is")} ${title}`} value={own ?? ""} options={choices(own)} onChange={(next) => choose(index, next)} />{" "}
                      {doubtful ? <span className="ms-caution">? {t("unsure")}</span> : null}
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
        {empty > 0 ? (
          <div className="ms-panel-body ms-actions">
            <Button size="small" aria-expanded={all} onClick={() => setAll(!all)}>
              {all ? t("hideEmpty") : t("showEmpty", { n: empty })}
            </Button>
          </div>
        ) : null}
      </section>
      {tags ? <section className="ms-panel">
        <div className="ms-panel-body ms-map-fields">
          <div>
            <label htmlFor={`${id}-rule`}>{t("rule")}</label>
            <Input id={`${id}-rule`} className="ms-code" value={rule} maxLength={200} onChange={(event) => setRule(event.target.value)} />
            <p className="ms-third ms-caption">{t("ruleHint")}</p>
          </div>
          <div>
            <label htmlFor={`${id}-base`}>{t("base")}</label>
            <AssetSelect id={`${id}-base`} value={asset} onChange={setAsset} invalid={false} />
          </div>
          <div>
            <label htmlFor={`${id}-connection`}>{t("connection")}</label>
            <Select
              id={`${id}-connection`}
              className="ms-asset-select"
              value={connection}
              onChange={setConnection}
              options={[{ value: "", label: t("noConnection") }, ...(needed.value?.connections ?? []).map((each) => ({ value: each.id, label: each.name }))]}
            />
          </div>
          <Checkbox checked={create} onChange={(event) => setCreate(event.target.checked)}>
            {t("createAssets")}
          </Checkbox>
        </div>
      </section> : null}
      {needed.error ? <p className="ms-fault">{say(reasonOf(needed.error))}</p> : null}
      <div className="ms-actions">
        <Button type="primary" loading={busy} disabled={missing} onClick={() => void check()}>
          {t("check", { n: formatCount(state.rows) })}
        </Button>
        <span className="ms-third">{t("writesNothing")}</span>
      </div>
    </div>
  );
}
