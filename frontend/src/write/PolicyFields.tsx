import { Checkbox, Form, InputNumber, Select } from "antd";
import { TagPick } from "../components/TagPick";
import type { Role } from "../types";
import { useWords } from "../words";
import { writeWords } from "../words/write";

const ROLES: readonly Role[] = ["operator", "engineer", "administrator"];
const HOLDS = ["equals", "differs", "above", "below"] as const;

export const NO_POLICY = { role: "operator", reason: false, password: false, second_person: false, hold: false, interlock: null };

/** What the form holds, as the server takes it: an interlock without a tag is none. */
export function policyOf(values: Record<string, unknown>): Record<string, unknown> {
  const policy = values.write_policy as (Record<string, unknown> & { interlock?: { tag?: string | null } | null }) | null | undefined;
  if (!policy) return values;
  const interlock = policy.interlock?.tag ? { holds: "equals", value: 1, ...policy.interlock } : null;
  return { ...values, write_policy: { ...policy, interlock } };
}

/** Who may write a tag and with what care; shown where the tag is writable. */
export function PolicyFields() {
  const t = useWords(writeWords);
  const form = Form.useFormInstance();
  const writable = Form.useWatch("writable", form) as boolean | undefined;
  const locked = Form.useWatch(["write_policy", "interlock", "tag"], form) as string | null | undefined;
  if (!writable) return null;
  const checks = [
    ["reason", "needsReason"],
    ["password", "needsPassword"],
    ["second_person", "needsSecond"],
    ["hold", "needsHold"],
  ] as const;
  return (
    <fieldset className="ms-fieldset">
      <legend>{t("policy")}</legend>
      <Form.Item name={["write_policy", "role"]} label={t("policyRole")} initialValue="operator">
        <Select options={ROLES.map((role) => ({ value: role, label: t(role as "operator") }))} />
      </Form.Item>
      {checks.map(([name, word]) => (
        <Form.Item key={name} name={["write_policy", name]} valuePropName="checked" initialValue={false} noStyle>
          <Checkbox>{t(word)}</Checkbox>
        </Form.Item>
      ))}
      <Form.Item name={["write_policy", "interlock", "tag"]} label={t("interlock")} className="ms-gap-top">
        <TagPick placeholder={t("interlockNone")} />
      </Form.Item>
      {locked ? (
        <div className="ms-pair">
          <Form.Item name={["write_policy", "interlock", "holds"]} label={t("interlockHolds")} initialValue="equals">
            <Select options={HOLDS.map((holds) => ({ value: holds, label: t(holds) }))} />
          </Form.Item>
          <Form.Item name={["write_policy", "interlock", "value"]} label={t("interlockValue")} initialValue={1}>
            <InputNumber className="ms-full" />
          </Form.Item>
        </div>
      ) : null}
    </fieldset>
  );
}
