import { type DragEvent, useState } from "react";
import { Link, useNavigate } from "react-router";
import { Button, Select } from "antd";
import { api, download, reasonOf, request } from "../api";
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
import { type Filled, type ImportState, TAGS } from "./import-types";
import { RecentImports } from "./RecentImports";
import { SHEET_FILES } from "./TagsStep";

const UPLOAD_MS = 120_000;

function DropArea({ filled, written, onWritten, onFile, busy }: { filled: Filled; written: string; onWritten: (kind: string) => void; onFile: (file: File) => void; busy: boolean }) {
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
  const template = () => download("GET", "/imports/template", { query: { kind: written, format: "xlsx", language, driver } }, `${written}.xlsx`).catch(failed);
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
        <FileButton accept={filled.many ? `${SHEET_FILES},.json` : SHEET_FILES} primary busy={busy} onFile={onFile}>
          {t("chooseFile")}
        </FileButton>
        {filled.many ? null : (
          <Select
            aria-label={t("protocol")}
            value={driver}
            onChange={setDriver}
            popupMatchSelectWidth={false}
            options={[{ value: "", label: t("allProtocols") }, ...(drivers.value ?? []).map(({ name, title }) => ({ value: name, label: say(title) }))]}
          />
        )}
        {filled.sources?.length ? (
          <Select
            aria-label={t("writtenBy")}
            value={written}
            onChange={onWritten}
            popupMatchSelectWidth={false}
            options={[{ value: filled.kind, label: t("anySheet") }, ...filled.sources.map(({ name, words }) => ({ value: name, label: say(words) }))]}
          />
        ) : null}
        <Button onClick={() => void template()}>{t("template")}</Button>
      </div>
      <p className="ms-third ms-caption">{t(filled.many ? "limitsRecords" : "limits")}</p>
    </div>
  );
}

/** Where an import begins: the file; below it the imports of before, with their reports. */
export function ImportPage({ filled = TAGS }: { filled?: Filled }) {
  const t = useWords(importWords);
  const say = useSay();
  const navigate = useNavigate();
  const [busy, setBusy] = useState(false);
  const [written, setWritten] = useState(filled.kind);
  const [problem, setProblem] = useState("");
  const recent = useResource(`imports ${written}`, (signal) => api.get<Page<ImportState>>("/imports", { kind: written }, signal));
  const send = async (file: File) => {
    setBusy(true);
    setProblem("");
    try {
      const answer = await request("POST", "/imports", { query: { kind: written, name: file.name.slice(0, 200) }, file, timeoutMs: UPLOAD_MS });
      const { id } = (await answer.json()) as ImportState;
      void navigate(`${filled.home}/${id}`);
    } catch (error) {
      setProblem(say(reasonOf(error)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="ms-page">
      {filled.many ? (
        <nav className="ms-crumbs">
          <Link to={filled.list}>{say(filled.many)}</Link>
        </nav>
      ) : null}
      <div className="ms-title">
        <h1>{filled.many ? t("importRecords", { many: say(filled.many) }) : t("importTags")}</h1>
      </div>
      {filled.many ? null : <ConnectTabs />}
      <DropArea filled={filled} written={written} onWritten={setWritten} onFile={(file) => void send(file)} busy={busy} />
      {problem ? <p className="ms-fault" role="alert">{problem}</p> : null}
      <RecentImports
        recent={recent}
        amount={t("rows")}
        amountOf={({ rows }) => formatCount(rows)}
        stageOf={({ stage }) => t(`stage_${stage}`)}
        onOpen={(id) => void navigate(`${filled.home}/${id}`)}
      />
    </div>
  );
}
