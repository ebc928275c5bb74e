import { useState } from "react";
import { Button, Form, Input, InputNumber, Select, Switch } from "antd";
import type { Rule } from "antd/es/form";
import { usePreferences } from "../preferences";
import type { Words } from "../types";
import { type Say, useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { applies, type Field, fieldsOf, type ObjectSchema } from "./schema";
import type { Settings } from "./types";

type Told = Say<typeof connectWords>;

function rulesOf(field: Field, t: Told): Rule[] {
  const rules: Rule[] = [];
  if (field.required) rules.push({ required: true, whitespace: field.kind === "text", message: t("required") });
  if (field.pattern) rules.push({ pattern: new RegExp(field.pattern), message: t("wrongForm", { pattern: field.pattern }) });
  if ((field.kind === "whole" || field.kind === "number") && field.min !== undefined && field.max !== undefined) {
    rules.push({ type: "number", min: field.min, max: field.max, message: t("between", { min: field.min, max: field.max }) });
  }
  return rules;
}

/** What a choice is called: its words where there are some, else the name the protocol gives it. */
export function choiceText(choice: string, t: Told): string {
  const key = `enum_${choice}`;
  return key in connectWords ? t(key as keyof typeof connectWords) : choice;
}

function Control({ field, t, stored, ...given }: { field: Field; t: Told; stored: boolean; id?: string; value?: unknown; onChange?: (value: unknown) => void }) {
  const max = field.maxLength === undefined ? {} : { maxLength: field.maxLength };
  const control = given as object;
  switch (field.kind) {
    case "choice":
      return <Select {...control} allowClear={field.nullable} options={field.choices.map((choice) => ({ value: choice, label: choiceText(choice, t) }))} />;
    case "yes-no":
      return <Switch {...control} />;
    case "whole":
    case "number": {
      const limits = { ...(field.min !== undefined && { min: field.min }), ...(field.max !== undefined && { max: field.max }) };
      return <InputNumber {...control} {...limits} className="ms-full" {...(field.kind === "whole" && { precision: 0 })} {...(field.unit !== "" && { suffix: field.unit })} />;
    }
    case "list":
      return <Select {...control} mode="tags" open={false} suffixIcon={null} placeholder={t("typeEnter")} {...(field.maxItems !== undefined && { maxCount: field.maxItems })} />;
    case "secret":
      return <Input.Password {...control} {...max} autoComplete="new-password" placeholder={stored ? t("secretKept") : ""} />;
    default:
      return <Input {...control} {...max} autoComplete="off" spellCheck={false} />;
  }
}

export interface SchemaFormProps {
  schema: ObjectSchema;
  /** Where the values lie in the form: `settings` makes `settings.host`. */
  at: string;
  /** What is entered now: some fields mean something only beside others. */
  values: Settings;
  /** The record is stored, so its secrets are, too. */
  stored?: boolean;
}

/** The fields of a JSON Schema as inputs; settings few people change are folded away. */
export function SchemaForm({ schema, at, values, stored = false }: SchemaFormProps) {
  const t = useWords(connectWords);
  const say = useSay();
  const { language } = usePreferences();
  const [open, setOpen] = useState(false);
  const all = fieldsOf(schema);
  const fields = all.filter((field) => applies(field, all, values));
  const advanced = fields.filter((field) => field.advanced);
  const item = (field: Field) => (
    <Form.Item
      key={field.key}
      name={[at, field.key]}
      label={say(field.title as Words)}
      rules={rulesOf(field, t)}
      valuePropName={field.kind === "yes-no" ? "checked" : "value"}
      {...(field.nullable && { normalize: (value: unknown) => (value === "" ? null : value) })}
    >
      <Control field={field} t={t} stored={stored} />
    </Form.Item>
  );
  return (
    <div lang={language === "zh" ? "zh-CN" : "en"}>
      {fields.filter((field) => !field.advanced).map(item)}
      {advanced.length === 0 ? null : (
        <>
          <Button type="text" className="ms-fold" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "▾" : "▸"} {t("advanced", { n: advanced.length })}
          </Button>
          <div hidden={!open} className="ms-folded ms-pair">
            {advanced.map(item)}
          </div>
        </>
      )}
    </div>
  );
}
