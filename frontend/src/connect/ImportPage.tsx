import { type DragEvent, useState } from "react";
import { useNavigate } from "react-router";
import { Button, Select } from "antd";
import { api, ApiError, download, request } from "../api";
import { useFailed } from "../failed";
import { formatCount } from "../format/number";
import { usePreferences } from "../preferences";
import { useResource } from "../resource";
import type { Page } from "../types";
import { useSay, useWords } from "../words";
import { importWords } from "../words/imports";
import { ConnectTabs } from "./ConnectTabs";
import { FileButton } from "./FileButton";
import { useDrivers } from "./use-connections";
import type { ImportState } from "./import-types";
import { RecentImports } from "./RecentImports";
import { SHEET_FILES } from "./TagsStep";

const UPLOAD_MS = 120_000;

function DropArea({ onFile, busy }: { onFile: (file: File) => void; busy: boolean }) {
  const t = useWords(importWords);
  const failed = useFailed();
  const { language } = usePreferences();
  const say = useSay();
  const [over, setOver] = useState(false);
  const [driver, setDriver] = useState("");
  const drivers = useDrivers();
  const dropped = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const file = event.dataTransfer.files[0];
    if (file) onFile(file);
  };
  const template = () => download("GET", "/imports/template", { query: { format: "xlsx", language, driver } }, "tags.xlsx").catch(failed);
  return (
    <div
      className="ms-drop"
      data-over={over}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={dropped}
    >
      <p>{t("dropHere")}</p>
      <div className="ms-actions">
        <FileButton accept={SHEET_FILES} primary busy={busy} onFile={onFile}>
          {t("chooseFile")}
        </FileButton>
        <Select
          aria-label={t("protocol")}
          value={driver}
          onChange={setDriver}
          popupMatchSelectWidth={false}
          options={[{ value: "", label: t("allProtocols") }, ...(drivers.value ?? []).map(({ name, title }) => ({ value: name, label: say(title) }))]}
        />
        <Button onClick={() => void template()}>{t("template")}</Button>
      </div>
      <p className="ms-third ms-caption">{t("limits")}</p>
    </div>
  );
}

/** Where an import begins: the file; below it the imports of before, with their reports. */
export function ImportPage() {
  const t = useWords(importWords);
  const say = useSay();
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const recent = useResource("imports", (signal) => api.get<Page<ImportState>>("/imports", {}, signal));
  const send = async (file: File) => {
    setBusy(true);
    setProblem("");
    try {
      const answer = await request("POST", "/imports", { query: { name: file.name.slice(0, 200) }, file, timeoutMs: UPLOAD_MS });
      const { id } = (await answer.json()) as ImportState;
      void navigate(`/connect/import/${id}`);
    } catch (error) {
      setProblem(error instanceof ApiError ? say(error.text) : String(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="ms-page">
      <div className="ms-title">
        <h1>{t("importTags")}</h1>
      </div>
      <ConnectTabs />
      <DropArea onFile={(file) => void send(file)} busy={busy} />
      {problem ? <p className="ms-fault" role="alert">{problem}</p> : null}
      <RecentImports
        recent={recent}
        amount={t("rows")}
        amountOf={({ rows }) => formatCount(rows)}
        stageOf={({ stage }) => t(`stage_${stage}`)}
        onOpen={(id) => void navigate(`/connect/import/${id}`)}
      />
    </div>
  );
}
