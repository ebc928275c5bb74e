import { useState } from "react";
import { Link } from "react-router";
import { App, Button, Modal, Upload } from "antd";
import { request } from "../api";
import { useFailed } from "../failed";
import { useSession } from "../session";
import type { Words } from "../types";
import { useSay, useWords } from "../words";
import { enterWords } from "../words/enter";

interface Outcome {
  entered: number;
  refused_total: number;
  refused: { row: number; field: string; text: Words }[];
}

const TIMEOUT_MS = 120_000;
/** The first line names the columns, and people count from one. */
const FIRST_ROW = 2;

async function send(file: File, dry_run: boolean): Promise<Outcome> {
  const answer = await request("POST", "/samples/csv", { file, query: { dry_run }, headers: { "Content-Type": "text/csv" }, timeoutMs: TIMEOUT_MS });
  return (await answer.json()) as Outcome;
}

/** Enter many values from a CSV file: checked first, then stored. */
export default function FileEntry({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useWords(enterWords);
  const say = useSay();
  const failed = useFailed();
  const { message } = App.useApp();
  const { may } = useSession();
  const [file, setFile] = useState<File | null>(null);
  const [checked, setChecked] = useState<Outcome | null>(null);
  const [busy, setBusy] = useState(false);
  const close = () => {
    setFile(null);
    setChecked(null);
    onClose();
  };
  const run = async (chosen: File, dry: boolean) => {
    setBusy(true);
    try {
      const outcome = await send(chosen, dry);
      if (dry) setChecked(outcome);
      else {
        message.success(t("fileDone", { n: outcome.entered }), 6);
        close();
      }
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Modal
      open={open}
      title={t("fileTitle")}
      onCancel={close}
      cancelText={t("cancel")}
      okText={t("fileEnter", { n: checked?.entered ?? 0 })}
      okButtonProps={{ disabled: !checked || checked.entered === 0, loading: busy }}
      onOk={() => file && void run(file, false)}
      destroyOnHidden
    >
      <div className="ms-stack">
        <p className="ms-second">{t("fileText")}</p>
        {may("engineer") ? <Link to="/connect/history-import">{t("fileLarge")}</Link> : null}
        <Upload
          accept=".csv,text/csv"
          showUploadList={false}
          beforeUpload={(chosen) => {
            setFile(chosen);
            setChecked(null);
            void run(chosen, true);
            return false;
          }}
        >
          <Button loading={busy && !checked}>{t("chooseFile")}</Button>
        </Upload>
        {file ? <p className="ms-num">{file.name}</p> : null}
        {checked ? <p role="status">{t("fileChecked", { good: checked.entered, bad: checked.refused_total })}</p> : null}
        {checked && checked.refused.length > 0 ? (
          <div className="ms-scroll">
            <table className="ms-table">
              <thead>
                <tr>
                  <th scope="col">{t("fileRow")}</th>
                  <th scope="col">{t("fileColumn")}</th>
                  <th scope="col">{t("reason")}</th>
                </tr>
              </thead>
              <tbody>
                {checked.refused.map(({ row, field, text }) => (
                  <tr key={row}>
                    <td className="ms-num">{row + FIRST_ROW}</td>
                    <td>{field}</td>
                    <td>{say(text)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ) : null}
      </div>
    </Modal>
  );
}
