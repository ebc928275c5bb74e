import { useState } from "react";
import { Button, Drawer, Select } from "antd";
import { usePhone } from "../media";
import { type Field, isEmpty } from "./fields";
import { type Comparison, comparisonsOf, type Condition } from "./query";
import type { Titles } from "./types";
import { useTongue } from "./use-kind";
import { ValueControl } from "./ValueControl";
import { type Tongue, valueText } from "./value-text";

const IS_TIME = new Set(["day", "moment"]);
const LATER = new Set(["ge", "le", "lt"]);

function comparisonText(field: Field, compare: Comparison, { t }: Tongue): string {
  return IS_TIME.has(field.control) && LATER.has(compare) ? t(`cmp_${compare as "ge" | "le" | "lt"}_time`) : t(`cmp_${compare}`);
}

/** A condition in words: what stands on its chip. */
export function conditionWords(field: Field, { compare, value }: Condition, titles: Titles, tongue: Tongue): string {
  const { t, say } = tongue;
  if (value === null || value === "") return `${say(field.words)}: ${t(compare === "ne" ? "notEmpty" : "empty")}`;
  const values = (Array.isArray(value) ? value : [value]).map((each) => valueText(field, each, titles, tongue)).join(", ");
  return `${say(field.words)}: ${compare === "eq" || compare === "in" ? "" : `${comparisonText(field, compare, tongue)} `}${values}`;
}

function FilterForm({ fields, start, onApply }: { fields: readonly Field[]; start: Condition | null; onApply: (condition: Condition) => void }) {
  const tongue = useTongue();
  const { t, say } = tongue;
  const [name, setName] = useState(start?.field ?? "");
  const [compare, setCompare] = useState<Comparison | null>(start?.compare ?? null);
  const [value, setValue] = useState<unknown>(start?.value ?? null);
  const field = fields.find((each) => each.name === name);
  const ways = field ? comparisonsOf(field) : [];
  const way = compare && ways.includes(compare) ? compare : (ways[0] ?? null);
  const choose = (next: string) => {
    setName(next);
    setCompare(null);
    setValue(fields.find((each) => each.name === next)?.control === "yes" ? true : null);
  };
  const several = field?.control === "choice" && way === "in";
  const chosen = Array.isArray(value) ? (value as string[]) : [];
  const entered = several ? chosen : Array.isArray(value) ? (chosen[0] ?? null) : value;
  // Nothing entered asks for what is empty; where nothing can be empty that asks for nothing.
  const mayBeEmpty = field !== undefined && (field.nullable || field.control === "code" || field.control === "text") && !field.required && (way === "eq" || way === "ne");
  const put = () => {
    if (field && way) onApply({ field: field.name, compare: way, value: isEmpty(entered) ? (field.nullable ? null : "") : entered });
  };
  return (
    <form
      className="ms-filter-form"
      onSubmit={(event) => {
        event.preventDefault();
        // A form around this one is another matter.
        event.stopPropagation();
        if (!isEmpty(entered) || mayBeEmpty) put();
      }}
    >
      <Select aria-label={t("field")} placeholder={t("field")} value={name || null} onChange={choose} showSearch={{ optionFilterProp: "label" }} options={fields.filter((each) => comparisonsOf(each).length > 0).map((each) => ({ value: each.name, label: say(each.words) }))} />
      {field && way ? (
        <>
          <Select aria-label={t("comparison")} value={way} onChange={setCompare} options={ways.map((each) => ({ value: each, label: comparisonText(field, each, tongue) }))} />
          {several ? (
            <Select mode="multiple" aria-label={say(field.words)} value={chosen} onChange={setValue} optionFilterProp="label" options={field.choices.map((each) => ({ value: each.value, label: say(each.words) }))} />
          ) : (
            <ValueControl key={field.name} field={{ ...field, required: false, nullable: true }} label={say(field.words)} value={entered} onChange={setValue} />
          )}
        </>
      ) : null}
      <Button type="primary" htmlType="submit" disabled={!field || (isEmpty(entered) && !mayBeEmpty)}>{t("apply")}</Button>
    </form>
  );
}

/** Conditions as chips: press one to change it, its cross to take it away; a new one is put together step by step. */
export function FilterField({ fields, where, titles, onChange }: { fields: readonly Field[]; where: readonly Condition[]; titles: Titles; onChange: (where: readonly Condition[]) => void }) {
  const tongue = useTongue();
  const { t } = tongue;
  const phone = usePhone();
  const [editing, setEditing] = useState<number | null>(null);
  const apply = (condition: Condition) => {
    if (editing !== null) onChange(editing < where.length ? where.map((each, index) => (index === editing ? condition : each)) : [...where, condition]);
    setEditing(null);
  };
  return (
    <>
      {where.map((condition, index) => {
        const field = fields.find(({ name }) => name === condition.field);
        if (!field) return null;
        const words = conditionWords(field, condition, titles, tongue);
        return (
          <span key={`${index} ${condition.field}`} className="ms-chip">
            <button type="button" className="ms-plain ms-chip-text ms-num" aria-haspopup="dialog" onClick={() => setEditing(index)}>{words}</button>
            <button type="button" className="ms-plain ms-chip-close" aria-label={t("takeAway", { filter: words })} onClick={() => onChange(where.filter((_, at) => at !== index))}>✕</button>
          </span>
        );
      })}
      <Button aria-haspopup="dialog" onClick={() => setEditing(where.length)}>{t("addFilter")}</Button>
      <Drawer open={editing !== null} onClose={() => setEditing(null)} placement={phone ? "bottom" : "right"} size={phone ? 420 : 360} title={t("filter")} destroyOnHidden>
        {editing === null ? null : <FilterForm fields={fields} start={where[editing] ?? null} onApply={apply} />}
      </Drawer>
    </>
  );
}
