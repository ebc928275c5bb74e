import { useEffect } from "react";
import { Form, Input, Select } from "antd";
import { api } from "../api";
import { EditDrawer, type Seen } from "../components/EditDrawer";
import { ASSET_KINDS, type Asset, type AssetDetail } from "../types";
import { useWords } from "../words";
import { plantWords } from "../words/plant";
import { kindWord } from "./AssetView";

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
  useEffect(() => {
    if (!open) return;
    const next = parent ? ASSET_KINDS[Math.min(ASSET_KINDS.indexOf(parent.kind) + 1, ASSET_KINDS.indexOf("unit"))] : "site";
    form.resetFields();
    form.setFieldsValue(asset ? { name: asset.name, kind: asset.kind, description: asset.description } : { kind: next });
  }, [open, asset, parent, form]);
  const save = async (values: Record<string, unknown>, seen: Seen) => {
    const saved = asset
      ? await api.patch<Asset>(`/assets/${asset.id}`, { ...values, version: asset.version, ...seen })
      : await api.post<Asset>("/assets", { ...values, parent: parent?.id ?? null });
    onSaved(saved);
  };
  const needed = [{ required: true, message: t("required") }];
  return (
    <EditDrawer open={open} title={t(asset ? "editAsset" : "addAsset")} form={form} save={save} onClose={onClose}>
      <Form.Item name={["name", "zh"]} label={t("nameZh")} rules={needed}>
        <Input maxLength={120} />
      </Form.Item>
      <Form.Item name={["name", "en"]} label={t("nameEn")} rules={needed}>
        <Input maxLength={120} />
      </Form.Item>
      <Form.Item name="kind" label={t("kind")} rules={needed}>
        <Select options={ASSET_KINDS.map((kind) => ({ value: kind, label: t(kindWord(kind)) }))} />
      </Form.Item>
    </EditDrawer>
  );
}
