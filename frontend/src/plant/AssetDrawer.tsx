import { Form, Input, Select } from "antd";
import { api } from "../api";
import { EditDrawer, type Seen } from "../components/EditDrawer";
import { ASSET_KINDS, type Asset, type AssetDetail, type Words } from "../types";
import { useWords } from "../words";
import { plantWords } from "../words/plant";
import { kindWord } from "./AssetView";
import { ShiftsField } from "./ShiftsField";
import { SuppressFields, wordsOrNull } from "./SuppressFields";

interface AssetDrawerProps {
  open: boolean;
  /** The asset to add below of, when `asset` is absent; null adds at the top. */
  parent: AssetDetail | null;
  asset?: AssetDetail | null;
  onClose: () => void;
  onSaved: (asset: Asset) => void;
}

/** Add or edit one asset. */
export function AssetDrawer({ open, parent, asset = null, onClose, onSaved }: AssetDrawerProps) {
  const t = useWords(plantWords);
  const [form] = Form.useForm();
  const next = parent ? ASSET_KINDS[Math.min(ASSET_KINDS.indexOf(parent.kind) + 1, ASSET_KINDS.indexOf("unit"))] : "site";
  const kind: unknown = Form.useWatch("kind", form);
  const save = async (entered: Record<string, unknown>, seen: Seen) => {
    const values = { ...entered, suppress_reason: wordsOrNull(entered.suppress_reason as Words | null) };
    const saved = asset
      ? await api.patch<Asset>(`/assets/${asset.id}`, { ...values, version: asset.version, ...seen })
      : await api.post<Asset>("/assets", { ...values, parent: parent?.id ?? null });
    onSaved(saved);
  };
  const needed = [{ required: true, message: t("required") }];
  return (
    <EditDrawer open={open} title={t(asset ? "editAsset" : "addAsset")} form={form} start={asset ? { ...asset } : { kind: next, suppress_when: "", shifts: [] }} save={save} onClose={onClose}>
      <Form.Item name={["name", "zh"]} label={t("nameZh")} rules={needed}>
        <Input maxLength={120} />
      </Form.Item>
      <Form.Item name={["name", "en"]} label={t("nameEn")} rules={needed}>
        <Input maxLength={120} />
      </Form.Item>
      <Form.Item name="kind" label={t("kind")} rules={needed}>
        <Select options={ASSET_KINDS.map((kind) => ({ value: kind, label: t(kindWord(kind)) }))} />
      </Form.Item>
      {kind === "site" ? <ShiftsField /> : null}
      <SuppressFields group />
    </EditDrawer>
  );
}
