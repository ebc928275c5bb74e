import { Button, Checkbox, Form, Input, InputNumber, Popconfirm, Select } from "antd";
import { api } from "../api";
import { EditDrawer, type Seen } from "../components/EditDrawer";
import { useFailed } from "../failed";
import { formatNumber } from "../format/number";
import { PRIORITIES } from "../theme/tokens";
import { type AlarmDefinition, type Condition, CONDITIONS, type Tag, type Words } from "../types";
import { type Say, useWords } from "../words";
import { limitWords } from "../words/limits";
import { plantWords } from "../words/plant";
import { LimitFields } from "./LimitFields";
import { SuppressFields, wordsOrNull } from "./SuppressFields";
import { Trial } from "./Trial";

const NEW_LIMIT = {
  condition: "H", priority: "medium", dead_band: 0, on_delay_ms: 0, off_delay_ms: 0, enabled: true, per: "minute",
  window_ms: 60_000, direction: "both", states: [], expression: "", suppress_when: "",
};
export const definitionWords = { ...plantWords, ...limitWords };
const LIMITS: ReadonlySet<unknown> = new Set(["HH", "H", "L", "LL"]);

/** The name of a condition in a list. */
export function conditionWord(t: Say<typeof definitionWords>, condition: Condition): string {
  if (condition === "stale") return t("staleCondition");
  if (condition === "state") return t("stateCondition");
  return condition === "expression" ? t("expressionCondition") : t(condition);
}

/** What a definition looks at: a limit with its unit, states, or an expression. */
export function definitionText(t: Say<typeof definitionWords>, { condition, limit, per, states, expression }: AlarmDefinition, tag: Tag): string {
  if (condition === "expression") return expression;
  if (condition === "state") return states.join(", ");
  if (condition === "stale" || condition === "change") return "";
  const number = `${formatNumber(limit, condition === "rate" ? null : tag.decimals)} ${tag.unit_sign}`;
  return condition === "rate" ? `${number} ${t("per", { time: t(per) })}` : number;
}

interface LimitDrawerProps {
  open: boolean;
  tag: Tag;
  limit: AlarmDefinition | null;
  onClose: () => void;
  onChanged: () => void;
}

/** What is sent to store the form. */
function bodyOf(values: Record<string, unknown>): Record<string, unknown> {
  const names = Object.fromEntries(["name", "consequence", "response", "suppress_reason"].map((name) => [name, wordsOrNull(values[name] as Words)]));
  return { ...values, limit: values.limit ?? 0, ...names };
}

/** Add or edit one alarm, with what happens when nobody acts and what to do. */
export function LimitDrawer({ open, tag, limit, onClose, onChanged }: LimitDrawerProps) {
  const t = useWords(definitionWords);
  const failed = useFailed();
  const [form] = Form.useForm();
  const condition = Form.useWatch("condition", form) as Condition | undefined;
  const edge = Form.useWatch("limit", form) as number | undefined;
  const save = async (values: Record<string, unknown>, seen: Seen) => {
    const body = bodyOf(values);
    if (limit) await api.patch(`/alarm-definitions/${limit.id}`, { ...body, version: limit.version, ...seen });
    else await api.post("/alarm-definitions", { ...body, tag_id: tag.id });
    onChanged();
  };
  const remove = async () => {
    try {
      await api.delete(`/alarm-definitions/${limit?.id ?? ""}`);
      onClose();
      onChanged();
    } catch (error) {
      failed(error);
    }
  };
  return (
    <EditDrawer
      open={open}
      title={`${t(limit ? "editLimit" : "addLimit")} · ${tag.name}`}
      form={form}
      start={{ ...(limit ?? NEW_LIMIT) }}
      save={save}
      onClose={onClose}
      below={
        <Trial
          key={limit?.id ?? "new"}
          tag={tag}
          form={form}
          id={limit?.id ?? null}
          limit={LIMITS.has(condition) ? (edge ?? null) : null}
          draft={() => ({ ...bodyOf(form.getFieldsValue() as Record<string, unknown>), tag_id: tag.id })}
        />
      }
      extra={
        limit ? (
          <Popconfirm title={t("deleteLimitSure")} okText={t("remove")} cancelText={t("cancel")} cancelButtonProps={{ autoFocus: true }} destroyOnHidden onConfirm={remove}>
            <Button>{t("remove")}</Button>
          </Popconfirm>
        ) : null
      }
    >
      <div className="ms-pair">
        <Form.Item name="condition" label={t("condition")}>
          <Select options={CONDITIONS.map((value) => ({ value, label: conditionWord(t, value) }))} />
        </Form.Item>
        <Form.Item name="priority" label={t("priority")}>
          <Select options={PRIORITIES.map((value) => ({ value, label: t(value) }))} />
        </Form.Item>
        {condition ? <LimitFields condition={condition} tag={tag} /> : null}
        {condition === "stale" ? null : (
          <>
            <Form.Item name="on_delay_ms" label={t("onDelay")}>
              <InputNumber className="ms-full" min={0} precision={0} />
            </Form.Item>
            <Form.Item name="off_delay_ms" label={t("offDelay")}>
              <InputNumber className="ms-full" min={0} precision={0} />
            </Form.Item>
          </>
        )}
        <Form.Item name={["name", "zh"]} label={t("nameZh")}>
          <Input maxLength={120} />
        </Form.Item>
        <Form.Item name={["name", "en"]} label={t("nameEn")}>
          <Input maxLength={120} />
        </Form.Item>
      </div>
      <Form.Item name={["consequence", "zh"]} label={t("consequenceZh")}>
        <Input.TextArea rows={2} maxLength={500} />
      </Form.Item>
      <Form.Item name={["consequence", "en"]} label={t("consequenceEn")}>
        <Input.TextArea rows={2} maxLength={500} />
      </Form.Item>
      <Form.Item name={["response", "zh"]} label={t("responseZh")}>
        <Input.TextArea rows={2} maxLength={500} />
      </Form.Item>
      <Form.Item name={["response", "en"]} label={t("responseEn")}>
        <Input.TextArea rows={2} maxLength={500} />
      </Form.Item>
      <SuppressFields group={false} />
      <Form.Item name="enabled" valuePropName="checked" noStyle>
        <Checkbox>{t("enabled")}</Checkbox>
      </Form.Item>
    </EditDrawer>
  );
}
