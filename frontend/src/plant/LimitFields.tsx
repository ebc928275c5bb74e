import { Form, Input, InputNumber, Select } from "antd";
import type { Condition, Tag } from "../types";
import { useSay, useWords } from "../words";
import { limitWords } from "../words/limits";

const PERS = ["second", "minute", "hour"] as const;
const DIRECTIONS = ["both", "rising", "falling"] as const;
const HOUR_MS = 3_600_000;
/** In milliseconds: what a rate of change is commonly looked at over. */
const WINDOWS = [10_000, 30_000, 60_000, 300_000, 600_000, HOUR_MS, 8 * HOUR_MS, 24 * HOUR_MS];
const EXPRESSION_MAX = 500;
/** What an expression reads as a name and as a unit without quotes. */
const PLAIN_NAME = /^[\p{L}_][\p{L}\p{N}_]*(?:[-.][\p{L}\p{N}_]+)*$/u;
const PLAIN_UNIT = /^(?!1$)[^\s()<>=!,+*"-]+$/;

/** An expression of the tag itself that is understood as it stands. */
export function exampleOf({ name, path, kind, high, low, unit }: Pick<Tag, "name" | "path" | "kind" | "high" | "low" | "unit">): string {
  const subject = PLAIN_NAME.test(name) ? name : `"${path}"`;
  if (kind === "boolean") return `not ${subject}`;
  return `abs(${subject}) > ${high ?? low ?? 75}${PLAIN_UNIT.test(unit) ? ` ${unit}` : ""}`;
}

function StateSelect({ tag, ...field }: { tag: Tag; value?: number[]; onChange?: (states: number[]) => void; id?: string }) {
  const say = useSay();
  const words = tag.words ?? (tag.kind === "boolean" ? { "0": { en: "0", zh: "0" }, "1": { en: "1", zh: "1" } } : {});
  return (
    <Select
      id={field.id}
      mode="tags"
      className="ms-full"
      value={(field.value ?? []).map(String)}
      onChange={(chosen: string[]) => field.onChange?.(chosen.map(Number).filter(Number.isInteger))}
      options={Object.entries(words).map(([value, text]) => ({ value, label: `${value} ${say(text) === value ? "" : say(text)}`.trim() }))}
    />
  );
}

/** What a condition needs beside its priority: a limit, a window, states or an expression. */
export function LimitFields({ condition, tag }: { condition: Condition; tag: Tag }) {
  const t = useWords(limitWords);
  const per: unknown = Form.useWatch("per");
  const needed = [{ required: true, message: t("required") }];
  const unit = tag.unit_sign;
  const window = (value: number) => (value < 60_000 ? t("seconds", { n: value / 1000 }) : value < HOUR_MS ? t("minutes", { n: value / 60_000 }) : t("hours", { n: value / HOUR_MS }));
  if (condition === "stale") return null;
  if (condition === "expression") {
    return (
      <Form.Item name="expression" label={t("expression")} rules={needed} extra={t("expressionHint", { example: exampleOf(tag) })} className="ms-wide-field">
        <Input.TextArea rows={3} maxLength={EXPRESSION_MAX} spellCheck={false} className="ms-code" />
      </Form.Item>
    );
  }
  if (condition === "state") {
    return (
      <Form.Item name="states" label={t("states")} rules={needed} extra={t("statesHint")} className="ms-wide-field">
        <StateSelect tag={tag} />
      </Form.Item>
    );
  }
  if (condition === "change") return <p className="ms-third ms-wide-field">{t("changeHint")}</p>;
  if (condition !== "rate") {
    return (
      <>
        <Form.Item name="limit" label={unit ? `${t("limit")} (${unit})` : t("limit")} rules={needed}>
          <InputNumber className="ms-full" />
        </Form.Item>
        <Form.Item name="dead_band" label={t("deadBand")}>
          <InputNumber className="ms-full" min={0} />
        </Form.Item>
      </>
    );
  }
  return (
    <>
      <Form.Item name="limit" label={`${t("limit")} (${unit || "1"} ${t("per", { time: t(PERS.find((each) => each === per) ?? "minute") })})`} rules={needed}>
        <InputNumber className="ms-full" min={0} />
      </Form.Item>
      <Form.Item name="per" label={t("perTime")}>
        <Select options={PERS.map((value) => ({ value, label: t(value) }))} />
      </Form.Item>
      <Form.Item name="window_ms" label={t("window")}>
        <Select options={WINDOWS.map((value) => ({ value, label: window(value) }))} />
      </Form.Item>
      <Form.Item name="direction" label={t("direction")}>
        <Select options={DIRECTIONS.map((value) => ({ value, label: t(value) }))} />
      </Form.Item>
      <Form.Item name="dead_band" label={t("deadBand")}>
        <InputNumber className="ms-full" min={0} />
      </Form.Item>
    </>
  );
}
