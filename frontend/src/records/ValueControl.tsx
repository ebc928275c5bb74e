import { useEffect, useRef } from "react";
import { Button, Checkbox, Input, InputNumber, Select, Switch } from "antd";
import { instantOf, fieldText } from "../components/RangeFields";
import { UnitField } from "../components/UnitField";
import { NameField } from "../events/NameField";
import { useZone } from "../session";
import type { Words } from "../types";
import { written, useUnits } from "../units";
import { useSay, useWords } from "../words";
import { recordWords } from "../words/records";
import { type Field, startOf } from "./fields";
import { HeldInput } from "./HeldInput";
import { AnyField, LinkField } from "./LinkField";
import { PIECES } from "./value-text";

/** So few choices are all seen at once. */
const SEEN_MAX = 8;

interface Given<T = unknown> {
  id?: string;
  /** Its name where no label stands beside it. */
  label?: string;
  value?: T;
  onChange?: (value: T) => void;
}

/** A text in both languages, one beside the other. */
function WordsInput({ id, label, value, onChange, length, name }: Given<Words | null> & { length: number | undefined; name: string }) {
  const t = useWords(recordWords);
  const { en = "", zh = "" } = value ?? {};
  return (
    <div className="ms-words">
      <Input id={id} maxLength={length} value={zh} prefix={<span aria-hidden="true" className="ms-third">中</span>} aria-label={t("inChinese", { field: label ?? name })} autoComplete="off" onChange={(event) => onChange?.({ en, zh: event.target.value })} />
      <Input maxLength={length} value={en} prefix={<span aria-hidden="true" className="ms-third">En</span>} aria-label={t("inEnglish", { field: label ?? name })} autoComplete="off" onChange={(event) => onChange?.({ en: event.target.value, zh })} />
    </div>
  );
}

/** A moment on the plant's clock, or none. */
function MomentInput({ id, label, value, onChange }: Given<number | null>) {
  const zone = useZone();
  const input = useRef<HTMLInputElement>(null);
  const told = useRef<number | null | undefined>(undefined);
  // Half a date is no moment yet: only what comes from outside, as after a conflict, is written into the field.
  useEffect(() => {
    if (input.current && told.current !== value) input.current.value = typeof value === "number" ? fieldText(value, zone) : "";
    told.current = value;
  }, [value, zone]);
  const typed = (text: string) => {
    told.current = instantOf(text, zone);
    onChange?.(told.current);
  };
  return <input ref={input} id={id} aria-label={label} type="datetime-local" className="ms-datetime ms-num" onChange={(event) => typed(event.target.value)} />;
}

type Row = Record<string, unknown>;

/** One field of a row or of a form within the form, its name above it. */
function Cell({ field, label, row, onChange }: { field: Field; label: string; row: Row; onChange: (row: Row) => void }) {
  const say = useSay();
  return (
    <div className="ms-record-cell">
      <span className="ms-caption ms-second">{say(field.words)}</span>
      <ValueControl field={field} label={label} value={row[field.name]} onChange={(next) => onChange({ ...row, [field.name]: next })} />
    </div>
  );
}

/** Rows that belong to the record alone: a small table, one control a cell. */
function RowsInput({ id, value, onChange, field }: Given<Row[] | null> & { field: Field }) {
  const t = useWords(recordWords);
  const say = useSay();
  const rows = value ?? [];
  const put = (index: number, next: Row) => onChange?.(rows.map((row, at) => (at === index ? next : row)));
  return (
    <div className="ms-stack" id={id} role="group" aria-label={say(field.words)}>
      {rows.map((row, index) => (
        <div key={index} className="ms-record-row">
          <span className="ms-third ms-num">{index + 1}</span>
          {field.row.map((cell) => <Cell key={cell.name} field={cell} label={t("inRow", { field: say(cell.words), n: index + 1 })} row={row} onChange={(next) => put(index, next)} />)}
          <Button type="text" aria-label={t("removeRow", { n: index + 1 })} onClick={() => onChange?.(rows.filter((_, at) => at !== index))}>✕</Button>
        </div>
      ))}
      <span><Button size="small" onClick={() => onChange?.([...rows, startOf(field.row)])}>{t("addRow")}</Button></span>
    </div>
  );
}

/** Fields in a form of their own within the form. */
function NestedInput({ id, value, onChange, field }: Given<Row | null> & { field: Field }) {
  const say = useSay();
  return (
    <div className="ms-record-nested" id={id} role="group" aria-label={say(field.words)}>
      {field.row.map((cell) => <Cell key={cell.name} field={cell} label={say(cell.words)} row={{ ...startOf(field.row), ...value }} onChange={(next) => onChange?.(next)} />)}
    </div>
  );
}

/** What is typed as JSON, as it is while it is none yet: the server then says what is wrong. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The control of a field: the one place that knows how each kind of value is entered. */
export function ValueControl({ field, id, label, value, onChange }: Given & { field: Field }) {
  const t = useWords(recordWords);
  const say = useSay();
  const units = useUnits();
  const given = { id, "aria-label": label };
  const max = { maxLength: field.length };
  const put = (next: unknown) => onChange?.(next);
  // Pieces are entered by their word, which the server knows; units of an item may be packs of its own.
  if (field.control === "unit" || (field.counts && field.start === PIECES)) return <UnitField {...given} value={value === PIECES ? t("pieces") : (value as string)} onChange={put} />;
  if (field.holds !== "") return <HeldInput id={id} label={label} value={value} onChange={put} field={field} />;
  switch (field.control) {
    case "words":
      return <WordsInput id={id} label={label} value={value as Words | null} onChange={put} length={field.length} name={say(field.words)} />;
    case "notes":
      return <Input.TextArea {...given} {...max} rows={4} value={value as string} onChange={(event) => put(event.target.value)} />;
    case "exact":
    case "whole": {
      const unit = field.unit === "" ? {} : { suffix: written(field.unit, units.value?.items ?? []) };
      // Typed out of its limits it is not changed behind the reader's back: the check says so.
      return <InputNumber {...given} {...unit} {...(field.control === "whole" && { precision: 0 })} changeOnWheel={false} className="ms-full" value={value as number | null} onChange={put} aria-valuemin={field.least} aria-valuemax={field.most} />;
    }
    case "yes":
      return <Switch {...given} checked={value === true} onChange={put} />;
    case "choice":
      return <Select {...given} className="ms-full" allowClear={!field.required && (field.nullable || field.start === "")} value={(value as string | null) || null} showSearch={field.choices.length > 8 ? { optionFilterProp: "label" } : false} options={field.choices.map((choice) => ({ value: choice.value, label: say(choice.words) }))} onChange={(next: string | undefined) => put(next ?? (field.nullable ? null : ""))} />;
    case "day":
      return <input id={id} aria-label={label} type="date" className="ms-datetime ms-num" value={(value as string | null) ?? ""} onChange={(event) => put(event.target.value === "" ? null : event.target.value)} />;
    case "moment":
      return <MomentInput id={id} label={label} value={value as number | null} onChange={put} />;
    case "link":
      return <LinkField id={id} label={label} value={value as string | null} onChange={put} target={field.target} />;
    case "list":
      if (field.choices.length > 0 && field.choices.length <= SEEN_MAX) {
        return <div id={id} className="ms-several" role="group" aria-label={label ?? say(field.words)}><Checkbox.Group value={(value as string[] | null) ?? []} options={field.choices.map((choice) => ({ value: choice.value, label: say(choice.words) }))} onChange={put} /></div>;
      }
      return <Select {...given} className="ms-full" mode={field.choices.length > 0 ? "multiple" : "tags"} tokenSeparators={[",", "，"]} value={((value as unknown[] | null) ?? []).map(String)} optionFilterProp="label" options={field.choices.map((choice) => ({ value: choice.value, label: say(choice.words) }))} onChange={(next: string[]) => put(field.whole ? next.map(Number).filter(Number.isInteger) : next)} />;
    case "json":
      return <Input {...given} className="ms-code" defaultValue={JSON.stringify(value ?? [])} onChange={(event) => put(parsed(event.target.value))} />;
    case "any":
      return <AnyField id={id} label={label} value={value as string | null} onChange={put} />;
    case "uri":
      return <NameField id={id} label={label} value={value as string | null} onChange={put} of={field.target} />;
    case "nested":
      return <NestedInput id={id} value={value as Row | null} onChange={put} field={field} />;
    case "rows":
      return <RowsInput id={id} value={value as Row[] | null} onChange={put} field={field} />;
    default:
      return <Input {...given} {...max} {...(field.series !== "" && { placeholder: t("nextNumber") })} autoComplete="off" spellCheck={field.control === "text"} value={value as string} onChange={(event) => put(event.target.value)} />;
  }
}
