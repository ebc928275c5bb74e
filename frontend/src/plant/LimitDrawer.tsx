import { useEffect } from "react";
import { Button, Checkbox, Form, Input, InputNumber, Popconfirm, Select } from "antd";
import { api } from "../api";
import { EditDrawer, type Seen } from "../components/EditDrawer";
import { useFailed } from "../failed";
import { PRIORITIES } from "../theme/tokens";
import { type AlarmDefinition, CONDITIONS, type Tag, type Words } from "../types";
import { useWords } from "../words";
import { plantWords } from "../words/plant";

const NEW_LIMIT = { condition: "H", priority: "medium", dead_band: 0, on_delay_ms: 0, off_delay_ms: 0, enabled: true };

interface LimitDrawerProps {
  open: boolean;
  tag: Tag;
  limit: AlarmDefinition | null;
  onClose: () => void;
  onChanged: () => void;
}

/** Words of which one language at least is written; the other repeats it. */
function wordsOrNull(words: Partial<Words> | null | undefined): Words | null {
  const en = words?.en?.trim() ?? "";
  const zh = words?.zh?.trim() ?? "";
  return en === "" && zh === "" ? null : { en: en || zh, zh: zh || en };
}

/** Add or edit one alarm limit, with what happens when nobody acts and what to do. */
export function LimitDrawer({ open, tag, limit, onClose, onChanged }: LimitDrawerProps) {
  const t = useWords(plantWords);
  const failed = useFailed();
  const [form] = Form.useForm();
  const condition: unknown = Form.useWatch("condition", form);
  useEffect(() => {
    if (!open) return;
    form.resetFields();
    form.setFieldsValue(limit ?? NEW_LIMIT);
  }, [open, limit, form]);
  const save = async (values: Record<string, unknown>, seen: Seen) => {
    const body = {
      ...values,
      limit: values.limit ?? 0,
      name: wordsOrNull(values.name as Words),
      consequence: wordsOrNull(values.consequence as Words),
      response: wordsOrNull(values.response as Words),
    };
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
  const needed = [{ required: true, message: t("required") }];
  return (
    <EditDrawer
      open={open}
      title={`${t(limit ? "editLimit" : "addLimit")} · ${tag.name}`}
      form={form}
      save={save}
      onClose={onClose}
      extra={
        limit ? (
          <Popconfirm title={t("deleteLimitSure")} okText={t("remove")} cancelText={t("cancel")} onConfirm={remove}>
            <Button>{t("remove")}</Button>
          </Popconfirm>
        ) : null
      }
    >
      <div className="ms-pair">
        <Form.Item name="condition" label={t("condition")}>
          <Select options={CONDITIONS.map((value) => ({ value, label: t(value === "stale" ? "staleCondition" : value) }))} />
        </Form.Item>
        <Form.Item name="priority" label={t("priority")}>
          <Select options={PRIORITIES.map((value) => ({ value, label: t(value) }))} />
        </Form.Item>
        {condition === "stale" ? null : (
          <>
            <Form.Item name="limit" label={tag.unit_sign ? `${t("limit")} (${tag.unit_sign})` : t("limit")} rules={needed}>
              <InputNumber className="ms-full" />
            </Form.Item>
            <Form.Item name="dead_band" label={t("deadBand")}>
              <InputNumber className="ms-full" min={0} />
            </Form.Item>
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
      <Form.Item name="enabled" valuePropName="checked" noStyle>
        <Checkbox>{t("enabled")}</Checkbox>
      </Form.Item>
    </EditDrawer>
  );
}
