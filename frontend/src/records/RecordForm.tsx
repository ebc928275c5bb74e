import { type ComponentProps, type FocusEvent, useMemo, useRef, useState } from "react";
import { App, Form } from "antd";
import type { Rule } from "antd/es/form";
import { api, ApiError } from "../api";
import { EditDrawer, type Seen } from "../components/EditDrawer";
import { useLeaving } from "../connect/use-leaving";
import { written } from "../units";
import { type Field, formFields, isEmpty, sent, startOf } from "./fields";
import { placed } from "./faults";
import type { Detail, Kind, Row, Titles } from "./types";
import { useTongue } from "./use-kind";
import { ValueControl } from "./ValueControl";
import { exactText, type Tongue, wholeText } from "./value-text";

const SIZE = 640;

/** What can be told before it is sent; the rest the server knows. */
function rulesOf(field: Field, { t, units }: Tongue): Rule[] {
  const rules: Rule[] = [];
  // Yes or no is always one of the two.
  if (field.required && field.control !== "yes") {
    rules.push({ required: true, message: t("required"), validator: (_, value) => (isEmpty(typeof value === "string" ? value.trim() : value) ? Promise.reject(new Error(t("required"))) : Promise.resolve()) });
  }
  if (field.control === "exact" || field.control === "whole") {
    const sign = field.unit === "" ? "" : ` ${written(field.unit, units)}`;
    if (field.least !== undefined) rules.push({ type: "number", min: field.least, message: t("atLeast", { value: exactText(field.least) + sign }) });
    if (field.above !== undefined) {
      const above = field.above;
      rules.push({ validator: (_, value) => (typeof value === "number" && value <= above ? Promise.reject(new Error(t("above", { value: exactText(above) + sign }))) : Promise.resolve()) });
    }
    if (field.most !== undefined) rules.push({ type: "number", max: field.most, message: t("atMost", { value: exactText(field.most) + sign }) });
  }
  return rules;
}

/** The control of a field, which is checked when it is left. */
function Entry({ onBlur, ...control }: ComponentProps<typeof ValueControl> & { onBlur?: () => void }) {
  const left = (event: FocusEvent<HTMLElement>) => {
    if (!event.currentTarget.contains(event.relatedTarget)) onBlur?.();
  };
  return <div onBlur={left}><ValueControl {...control} /></div>;
}

/** Make a record, beginning with `start`, or change one, from what its kind says of its fields. */
export function RecordForm({ kind, record, start, onClose, onSaved }: { kind: Kind; record: Detail | null; start?: Record<string, unknown>; onClose: () => void; onSaved: (saved: Row) => void }) {
  const tongue = useTongue();
  const { t, say } = tongue;
  const { message } = App.useApp();
  const [form] = Form.useForm();
  const [changed, setChanged] = useState(false);
  const [names, setNames] = useState<Titles>(record?.titles ?? {});
  const stay = useLeaving(changed);
  const path = `/records/${kind.kind}${record ? `/${record.id}` : ""}`;
  const made = useRef<Row | null>(null);
  // A field the reader may not see is not among what the server gave: it is not sent back empty.
  const fields = useMemo(() => formFields(kind).filter(({ name }) => record === null || name in record), [kind, record]);
  const save = async (values: Record<string, unknown>, seen: Seen) => {
    const body = sent(fields, values);
    try {
      made.current = record ? await api.patch<Row>(path, { ...body, version: record.version, ...seen }) : await api.post<Row>(path, body);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (record && error.status === 409 && error.current) {
        // A conflict shows names of what the other version links to, not identifiers.
        const { titles } = await api.get<Detail>(path).catch(() => record);
        setNames({ ...names, ...titles });
      }
      throw new ApiError(error.status, { code: error.code, text: error.text, fields: placed(error.fields, fields), request_id: error.requestId, current: error.current });
    }
    stay();
    message.success(t("saved"), 6);
  };
  const close = () => {
    if (made.current) onSaved(made.current);
    onClose();
  };
  const field = (path: readonly (string | number)[]) => fields.find(({ name }) => name === path[0]);
  return (
    <EditDrawer
      open
      size={SIZE}
      title={record ? t("editOne", { one: say(kind.one) }) : t("newOne", { one: say(kind.one) })}
      form={form}
      start={record ? { ...record } : { ...startOf(fields), ...start }}
      save={save}
      onClose={close}
      onChanged={setChanged}
      tell={(path, value) => {
        const found = field(path);
        return found ? wholeText(found, value, names, tongue) : String(value);
      }}
    >
      {fields.map((each) => (
        <Form.Item key={each.name} name={each.name} label={say(each.words)} rules={rulesOf(each, tongue)} validateTrigger="onBlur" {...(each.hint && { extra: say(each.hint) })}>
          <Entry field={each} />
        </Form.Item>
      ))}
    </EditDrawer>
  );
}
