import { useState } from "react";
import { Form, InputNumber, Modal, Radio } from "antd";
import { download } from "../api";
import { useFailed } from "../failed";
import { live } from "../live";
import { usePreferences } from "../preferences";
import { useZone } from "../session";
import { useWords } from "../words";
import { trendWords } from "../words/trend";
import type { Zoom } from "./range";
import { spanText } from "./zone";

interface ExportProps {
  tags: readonly number[];
  span: Zoom;
  bucket_ms: number;
  onClose: () => void;
}

/** What is shown, as a file. */
export function ExportDialog({ tags, span, bucket_ms, onClose }: ExportProps) {
  const t = useWords(trendWords);
  const zone = useZone();
  const failed = useFailed();
  const { language } = usePreferences();
  const [format, setFormat] = useState<"csv" | "parquet">("csv");
  const [mode, setMode] = useState<"raw" | "aggregate">("raw");
  const [step, setStep] = useState(Math.max(1, Math.round(bucket_ms / 1000)));
  const [busy, setBusy] = useState(false);
  const run = async () => {
    setBusy(true);
    const body = {
      tags,
      start_ms: Math.round(span.start_ms),
      end_ms: Math.round(span.end_ms),
      format,
      mode,
      language,
      ...(mode === "aggregate" ? { step_ms: step * 1000 } : {}),
    };
    const day = zone.full(span.start_ms).slice(0, 16).replace(/[ :]/g, "-");
    try {
      await download("POST", "/history/export", { body }, `trend-${day}.${format}`);
      onClose();
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal open title={t("exportTitle")} okText={t("export")} cancelText={t("cancel")} confirmLoading={busy} onOk={() => void run()} onCancel={onClose} width={480}>
      <Form layout="vertical">
        <p className="ms-second">{t("exportTold", { n: tags.length, span: spanText(span.start_ms, span.end_ms, live.now(), zone) })}</p>
        <Form.Item label={t("exportFormat")}>
          <Radio.Group
            aria-label={t("exportFormat")}
            value={format}
            onChange={(event) => setFormat(event.target.value as "csv" | "parquet")}
            options={[
              { value: "csv", label: t("csv") },
              { value: "parquet", label: t("parquet") },
            ]}
          />
        </Form.Item>
        <Form.Item label={t("exportWhat")}>
          <Radio.Group
            aria-label={t("exportWhat")}
            vertical
            value={mode}
            onChange={(event) => setMode(event.target.value as "raw" | "aggregate")}
            options={[
              { value: "raw", label: t("exportRaw") },
              { value: "aggregate", label: t("exportAggregate") },
            ]}
          />
        </Form.Item>
        {mode === "aggregate" ? (
          <Form.Item label={t("exportStep")} htmlFor="ms-export-step">
            <InputNumber id="ms-export-step" min={1} max={86_400} precision={0} value={step} onChange={(value) => setStep(value ?? 1)} />
          </Form.Item>
        ) : null}
      </Form>
    </Modal>
  );
}
