import { useState } from "react";
import { Button, Input, Select, Upload } from "antd";
import { request } from "../api";
import { blobOf, formatOf, sizeText } from "../components/value-text";
import { useFailed } from "../failed";
import type { Tag } from "../types";
import { useSay, useWords } from "../words";
import { enterWords } from "../words/enter";

interface ValueFieldProps {
  tag: Tag;
  id?: string;
  value?: string;
  onChange?: (value: string) => void;
}

/** A field for one value of a tag's kind; what it holds is text, so that whole numbers stay exact. */
export function ValueField({ tag, id, value = "", onChange }: ValueFieldProps) {
  const t = useWords(enterWords);
  const say = useSay();
  const words = formatOf(tag).words;
  const field = { ...(id && { id }), value, onChange: (event: { target: { value: string } }) => onChange?.(event.target.value) };
  if (words && (tag.kind === "enumeration" || tag.kind === "boolean")) {
    const options = Object.entries(words).map(([key, word]) => ({ value: key, label: `${say(word)} (${key})` }));
    return <Select {...(id && { id })} value={value === "" ? null : value} onChange={(next: string) => onChange?.(next)} options={options} />;
  }
  if (tag.kind === "blob") return <FileField value={value} onChange={onChange} />;
  if (tag.kind === "text") return <Input.TextArea {...field} maxLength={4000} autoSize={{ minRows: 1, maxRows: 6 }} />;
  if (tag.kind === "array") return <Input.TextArea {...field} placeholder={t("arrayHint")} autoSize={{ minRows: 2, maxRows: 6 }} className="ms-num" />;
  const whole = tag.kind === "int64" || tag.kind === "enumeration";
  return <Input {...field} className="ms-num" inputMode={whole ? "numeric" : "decimal"} autoComplete="off" suffix={tag.unit_sign} title={whole ? t("wholeHint") : ""} />;
}

function FileField({ value, onChange }: { value: string; onChange: ((value: string) => void) | undefined }) {
  const t = useWords(enterWords);
  const failed = useFailed();
  const [busy, setBusy] = useState(false);
  const kept = blobOf(value);
  const upload = async (file: File) => {
    setBusy(true);
    try {
      const headers = { "Content-Type": file.type || "application/octet-stream" };
      const answer = await request("POST", "/blobs", { file, headers, timeoutMs: 120_000 });
      onChange?.(((await answer.json()) as { reference: string }).reference);
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <span className="ms-row">
      <Upload
        showUploadList={false}
        beforeUpload={(file) => {
          void upload(file);
          return false;
        }}
      >
        <Button loading={busy}>{t("chooseFile")}</Button>
      </Upload>
      {kept ? <span className="ms-second ms-num">{t("fileKept", { size: `${kept.media_type} ${sizeText(kept.size)}` })}</span> : null}
    </span>
  );
}
