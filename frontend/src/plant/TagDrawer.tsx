import { useState } from "react";
import { App, Button, Checkbox, Form, Input, InputNumber, Popconfirm, Select } from "antd";
import { api } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { EditDrawer, type Seen } from "../components/EditDrawer";
import { PageState } from "../components/PageState";
import { UnitField } from "../components/UnitField";
import { WordsField } from "../enter/WordsField";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import type { AlarmDefinition, AssetDetail, Page, SampleKind, Tag } from "../types";
import { useSay, useWords } from "../words";
import { plantWords } from "../words/plant";
import { NO_POLICY, PolicyFields, policyOf } from "../write/PolicyFields";
import { conditionWord, definitionText, definitionWords, LimitDrawer } from "./LimitDrawer";

const KINDS: readonly SampleKind[] = ["float64", "int64", "boolean", "enumeration", "text", "array", "blob"];
const NEW_TAG = { kind: "float64", unit: "1", scan_ms: 1000, gain: 1, offset: 0, dead_band: 0, silence_max_ms: 60_000, stale_ms: 0, enabled: true, writable: false };

const withPolicy = (tag: object): Record<string, unknown> => ({ ...tag, write_policy: ("write_policy" in tag && tag.write_policy) || NO_POLICY });

interface TagDrawerProps {
  open: boolean;
  tag: Tag | null;
  asset: AssetDetail;
  onClose: () => void;
  onChanged: () => void;
}

/** Add or edit one tag and its alarm limits. */
export function TagDrawer({ open, tag, asset, onClose, onChanged }: TagDrawerProps) {
  const t = useWords(plantWords);
  const failed = useFailed();
  const { message } = App.useApp();
  const [form] = Form.useForm();
  const save = async (values: Record<string, unknown>, seen: Seen) => {
    if (tag) await api.patch(`/tags/${tag.id}`, { ...policyOf(values), version: tag.version, ...seen });
    else await api.post("/tags", { ...policyOf(values), asset: asset.id });
    message.success(t("saved"));
    onChanged();
  };
  const remove = async () => {
    try {
      await api.delete(`/tags/${tag?.id ?? ""}`);
      onClose();
      onChanged();
    } catch (error) {
      failed(error);
    }
  };
  return (
    <EditDrawer
      open={open}
      title={tag ? `${t("editTag")} ${tag.name}` : t("addTag")}
      form={form}
      start={withPolicy(tag ?? NEW_TAG)}
      read={withPolicy}
      save={save}
      onClose={onClose}
      extra={
        tag ? (
          <Popconfirm title={t("deleteTagSure", { name: tag.name })} okText={t("remove")} cancelText={t("cancel")} cancelButtonProps={{ autoFocus: true }} destroyOnHidden onConfirm={remove}>
            <Button>{t("remove")}</Button>
          </Popconfirm>
        ) : null
      }
      below={tag ? <Limits tag={tag} onChanged={onChanged} /> : <p className="ms-third">{t("limitsAfterSave")}</p>}
    >
      <Fields />
    </EditDrawer>
  );
}

function Fields() {
  const t = useWords(plantWords);
  const needed = [{ required: true, message: t("required") }];
  const number = <InputNumber className="ms-full" />;
  return (
    <>
      <Form.Item name="name" label={t("tagName")} rules={needed}>
        <Input maxLength={200} />
      </Form.Item>
      <Form.Item name={["description", "zh"]} label={`${t("description")} · 中文`}>
        <Input maxLength={400} />
      </Form.Item>
      <Form.Item name={["description", "en"]} label={`${t("description")} · English`}>
        <Input maxLength={400} />
      </Form.Item>
      <div className="ms-pair">
        <Form.Item name="kind" label={t("sampleKind")}>
          <Select options={KINDS.map((kind) => ({ value: kind, label: t(kind) }))} />
        </Form.Item>
        <Form.Item name="unit" label={t("unitCode")} rules={needed}>
          <UnitField />
        </Form.Item>
        <Form.Item name="low" label={t("rangeLow")}>
          {number}
        </Form.Item>
        <Form.Item name="high" label={t("rangeHigh")}>
          {number}
        </Form.Item>
        <Form.Item name="decimals" label={t("decimals")}>
          <InputNumber className="ms-full" min={0} max={9} precision={0} />
        </Form.Item>
        <Form.Item name="dead_band" label={t("deadBand")}>
          <InputNumber className="ms-full" min={0} />
        </Form.Item>
        <Form.Item name="gain" label={t("gain")}>
          {number}
        </Form.Item>
        <Form.Item name="offset" label={t("offset")}>
          {number}
        </Form.Item>
        <Form.Item name="scan_ms" label={t("scan")}>
          <InputNumber className="ms-full" min={10} precision={0} />
        </Form.Item>
        <Form.Item name="silence_max_ms" label={t("silence")}>
          <InputNumber className="ms-full" min={1000} precision={0} />
        </Form.Item>
        <Form.Item name="stale_ms" label={t("staleAfter")} extra={t("staleZero")}>
          <InputNumber className="ms-full" min={0} precision={0} />
        </Form.Item>
      </div>
      <Form.Item noStyle dependencies={["kind"]}>
        {({ getFieldValue }) =>
          getFieldValue("kind") === "enumeration" || getFieldValue("kind") === "boolean" ? (
            <Form.Item name="words" label={t("stateWords")}>
              <WordsField />
            </Form.Item>
          ) : null
        }
      </Form.Item>
      <Form.Item name="enabled" valuePropName="checked" noStyle>
        <Checkbox>{t("enabled")}</Checkbox>
      </Form.Item>
      <Form.Item name="writable" valuePropName="checked" noStyle>
        <Checkbox>{t("writable")}</Checkbox>
      </Form.Item>
      <PolicyFields />
    </>
  );
}

function Limits({ tag, onChanged }: { tag: Tag; onChanged: () => void }) {
  const t = useWords(definitionWords);
  const say = useSay();
  const [editing, setEditing] = useState<AlarmDefinition | "new" | null>(null);
  const limits = useResource(tag.id, (signal) => api.get<Page<AlarmDefinition>>("/alarm-definitions", { tag: tag.id }, signal), true);
  const changed = () => {
    limits.reload();
    onChanged();
  };
  return (
    <section className="ms-stack ms-gap-top">
      <div className="ms-row">
        <h3 className="ms-grow">{t("limits")}</h3>
        <Button size="small" onClick={() => setEditing("new")}>
          {t("addLimit")}
        </Button>
      </div>
      <PageState state={limits} rows={2}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="ms-third">{t("noLimits")}</p>
          ) : (
            <ul className="ms-list">
              {items.map((limit) => (
                <li key={limit.id} className="ms-row ms-pad-small">
                  <AlarmSign priority={limit.priority} state={limit.enabled ? "active-unacknowledged" : "normal"} />
                  <span className="ms-bold">{conditionWord(t, limit.condition)}</span>
                  <span className="ms-num ms-cut">{definitionText(t, limit, tag)}</span>
                  <span className="ms-grow ms-cut ms-second">{say(limit.name)}</span>
                  <Button size="small" type="text" onClick={() => setEditing(limit)}>
                    {t("edit")}
                  </Button>
                </li>
              ))}
            </ul>
          )
        }
      </PageState>
      <LimitDrawer open={editing !== null} tag={tag} limit={editing === "new" ? null : editing} onClose={() => setEditing(null)} onChanged={changed} />
    </section>
  );
}
