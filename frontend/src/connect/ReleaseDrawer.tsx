import { useState } from "react";
import { App, Button, Drawer, Form, Input, InputNumber, Select } from "antd";
import { api, ApiError, request, UPLOAD_BYTES_MAX } from "../api";
import { useAskFirst } from "../components/ask-first";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSay, useWords } from "../words";
import { gatewayWords } from "../words/gateways";
import { FileButton } from "./FileButton";
import { settingsOf } from "./release-settings";
import type { GatewayRow, Software } from "./GatewaysPage";

interface Draft {
  gateways: string[];
  first: number;
  software?: string;
  settings: string;
}

/** Release settings or a version to gateways, to some of them first. */
export function ReleaseDrawer({ gateways, onClose, onReleased }: { gateways: readonly GatewayRow[]; onClose: () => void; onReleased: () => void }) {
  const t = useWords(gatewayWords);
  const say = useSay();
  const failed = useFailed();
  const { message } = App.useApp();
  const [form] = Form.useForm<Draft>();
  const { setChanged, leave } = useAskFirst(onClose);
  const [busy, setBusy] = useState(false);
  const versions = useResource("software", (signal) => api.get<Software[]>("/gateways/software", {}, signal));
  const upload = async (file: File) => {
    if (file.size > UPLOAD_BYTES_MAX) {
      message.error(t("tooLarge", { mb: UPLOAD_BYTES_MAX / 2 ** 20 }), 8);
      return;
    }
    setBusy(true);
    try {
      const made = (await (await request("POST", "/gateways/software", { file })).json()) as Software;
      versions.reload();
      form.setFieldValue("software", made.id);
      message.success(t("uploaded", { version: made.program_version }));
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  };
  const release = async (draft: Draft) => {
    let settings: Record<string, unknown>;
    try {
      settings = settingsOf(draft.settings);
    } catch (error) {
      form.setFields([{ name: "settings", errors: [t("settingsWrong", { n: (error as RangeError).message })] }]);
      return;
    }
    setBusy(true);
    try {
      await api.post("/gateways/releases", { gateways: draft.gateways, first: draft.first, settings, software: draft.software ?? null });
      onReleased();
    } catch (error) {
      const fields = error instanceof ApiError ? Object.entries(error.fields ?? {}) : [];
      if (fields.length > 0) form.setFields([{ name: "settings", errors: fields.map(([field, text]) => `${field}: ${say(text)}`) }]);
      else failed(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Drawer open title={t("releaseTitle")} size={560} onClose={leave}>
      <p className="ms-second">{t("releaseText")}</p>
      <Form onValuesChange={() => setChanged(true)} form={form} layout="vertical" requiredMark={false} onFinish={release} initialValues={{ gateways: [], first: 1, settings: "" }}>
        <Form.Item name="gateways" label={t("toGateways")} rules={[{ required: true, message: t("required") }]}>
          <Select mode="multiple" options={gateways.map(({ id, name }) => ({ value: id, label: name }))} />
        </Form.Item>
        <Form.Item name="first" label={t("first")} extra={t("firstText")}>
          <InputNumber min={1} max={1000} precision={0} />
        </Form.Item>
        <Form.Item label={t("version")}>
          <span className="ms-row">
            <Form.Item name="software" noStyle>
              <Select className="ms-grow" allowClear placeholder={t("versionKept")} options={(versions.value ?? []).map(({ id, program_version }) => ({ value: id, label: program_version }))} />
            </Form.Item>
            <FileButton accept=".whl" busy={busy} onFile={(file) => void upload(file)}>
              {t("upload")}
            </FileButton>
          </span>
        </Form.Item>
        <Form.Item name="settings" label={t("settings")}>
          <Input.TextArea rows={6} className="ms-code" spellCheck={false} placeholder={"flush_ms = 100\nlog_bytes_max = 20_000_000_000"} />
        </Form.Item>
        <Button type="primary" htmlType="submit" loading={busy}>
          {t("makeRelease")}
        </Button>
      </Form>
    </Drawer>
  );
}
