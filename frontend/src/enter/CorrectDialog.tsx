import { useEffect, useState } from "react";
import { Alert, App, Form, Input, Modal, Select } from "antd";
import { ApiError, api } from "../api";
import { formatOf, plainValue } from "../components/value-text";
import { usePreferences } from "../preferences";
import { useZone } from "../session";
import type { Tag } from "../types";
import { useSay, useWords } from "../words";
import { enterWords } from "../words/enter";
import { sent, useQualities } from "./EnterForm";
import { ValueField } from "./ValueField";
import type { Sample } from "./samples";

interface Values {
  value: string;
  quality: number;
  reason: string;
}

/** Correct one sample; the former value stays and is shown among the corrections. */
export function CorrectDialog({ tag, sample, onDone, onClose }: { tag: Tag; sample: Sample | null; onDone: () => void; onClose: () => void }) {
  const t = useWords(enterWords);
  const say = useSay();
  const zone = useZone();
  const { language } = usePreferences();
  const qualities = useQualities();
  const { message } = App.useApp();
  const [form] = Form.useForm<Values>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    if (!sample) return;
    setProblem("");
    const known = [0xc0, 0x40, 0].find((level) => (sample.quality & 0xc0) === level) ?? 0xc0;
    form.setFieldsValue({ value: sample.value === null ? "" : String(sample.value), quality: known, reason: "" });
  }, [sample, form]);
  const submit = async (values: Values) => {
    setBusy(true);
    try {
      const value = values.value.trim() === "" ? null : sent(tag, values.value);
      await api.post("/history/correct", { tag: tag.tag, time_ms: sample?.time_ms, value, quality: values.quality, reason: values.reason });
      message.success(t("correctedDone"), 6);
      onDone();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const wrong = error.fields.value;
      if (wrong) form.setFields([{ name: "value", errors: [say(wrong)] }]);
      else setProblem(say(error.text));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal
      open={sample !== null}
      title={sample ? t("correctTitle", { name: tag.name, time: zone.full(sample.time_ms) }) : ""}
      okText={t("correct")}
      cancelText={t("cancel")}
      confirmLoading={busy}
      onOk={() => form.submit()}
      onCancel={onClose}
      destroyOnHidden
    >
      {problem ? <Alert type="error" role="alert" title={problem} className="ms-gap-bottom" /> : null}
      <p className="ms-second">
        {t("former")}: <span className="ms-num">{sample ? `${plainValue(sample.value, formatOf(tag), language)} ${tag.unit_sign}` : ""}</span>
      </p>
      <Form form={form} name="correct" layout="vertical" onFinish={(values) => void submit(values)}>
        <Form.Item name="value" label={t("newValue")}>
          <ValueField tag={tag} />
        </Form.Item>
        <Form.Item name="quality" label={t("quality")}>
          <Select options={qualities} />
        </Form.Item>
        <Form.Item name="reason" label={t("reason")} rules={[{ required: true, message: t("required") }]}>
          <Input maxLength={400} />
        </Form.Item>
      </Form>
    </Modal>
  );
}
