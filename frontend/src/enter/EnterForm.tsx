import { useState } from "react";
import { Alert, App, Button, Form, Input, Select } from "antd";
import { ApiError, api } from "../api";
import { formatNumber } from "../format/number";
import { useZone } from "../session";
import type { Tag } from "../types";
import { useSay, useWords } from "../words";
import { enterWords } from "../words/enter";
import { live } from "../live";
import { ValueField } from "./ValueField";
import { timeOf } from "./samples";

export const GOOD = 0xc0;

interface Values {
  value: string;
  time?: string;
  quality: number;
  comment?: string;
}

/** The three qualities a person can state. */
export function useQualities(): { value: number; label: string }[] {
  const t = useWords(enterWords);
  return [
    { value: GOOD, label: t("good") },
    { value: 0x40, label: t("uncertainQuality") },
    { value: 0, label: t("badQuality") },
  ];
}

/** A value as the interface takes it: arrays as arrays, everything else as it was typed. */
export function sent(tag: Tag, text: string): unknown {
  if (tag.kind !== "array") return text.trim();
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Enter one sample by hand: value with unit, time of the plant's clocks, quality, comment. */
export function EnterForm({ tag, onEntered, onClose }: { tag: Tag; onEntered: () => void; onClose: () => void }) {
  const t = useWords(enterWords);
  const say = useSay();
  const zone = useZone();
  const qualities = useQualities();
  const { message } = App.useApp();
  const [form] = Form.useForm<Values>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const typed = Form.useWatch("value", form) ?? "";
  const number = Number(typed);
  const bounds = { low: formatNumber(tag.low ?? NaN, tag.decimals), high: formatNumber(tag.high ?? NaN, tag.decimals) };
  const outside = typed !== "" && Number.isFinite(number) && ((tag.low !== null && number < tag.low) || (tag.high !== null && number > tag.high));
  const submit = async (values: Values) => {
    const written = values.time?.trim() ?? "";
    const time_ms = written === "" ? null : timeOf(written, (...parts) => zone.instant(...parts));
    setBusy(true);
    setProblem("");
    try {
      await api.post("/samples", { tag: tag.tag, time_ms, value: sent(tag, values.value), quality: values.quality, comment: values.comment ?? "" });
      message.success(t("entered"), 6);
      form.resetFields();
      onEntered();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { value, time_ms: time } = error.fields;
      if (value) form.setFields([{ name: "value", errors: [say(value)] }]);
      if (time) form.setFields([{ name: "time", errors: [say(time)] }]);
      if (!value && !time) setProblem(say(error.text));
    } finally {
      setBusy(false);
    }
  };
  const needed = { required: true, message: t("required") };
  const isTime = async (_: unknown, text?: string) => {
    if (text?.trim() && timeOf(text, (...parts) => zone.instant(...parts)) === null) throw new Error(t("timeWrong"));
  };
  return (
    <Form form={form} name="enter" layout="vertical" onFinish={(values) => void submit(values)} initialValues={{ quality: GOOD }} className="ms-panel ms-enter-form" aria-label={t("enterValue")}>
      {problem ? <Alert type="error" role="alert" title={problem} className="ms-gap-bottom" /> : null}
      <Form.Item name="value" label={tag.unit_sign && tag.unit !== "1" ? t("valueIn", { unit: tag.unit_sign }) : t("newValue")} rules={[needed]} extra={outside ? t("outside", bounds) : undefined}>
        <ValueField tag={tag} />
      </Form.Item>
      <div className="ms-pair">
        <Form.Item name="time" label={t("timeIn", { zone: `${zone.name} ${zone.offsetText(live.now())}` })} rules={[{ validator: isTime }]}>
          <Input className="ms-num" placeholder={t("timeNow")} autoComplete="off" />
        </Form.Item>
        <Form.Item name="quality" label={t("quality")}>
          <Select options={qualities} />
        </Form.Item>
      </div>
      <Form.Item name="comment" label={t("comment")}>
        <Input maxLength={400} placeholder={t("commentHint")} />
      </Form.Item>
      <div className="ms-actions">
        <Button type="primary" htmlType="submit" loading={busy}>
          {t("enterSave")}
        </Button>
        <Button onClick={onClose}>{t("close")}</Button>
      </div>
    </Form>
  );
}
