import { useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { Button } from "antd";
import { api, reasonOf } from "../api";
import { useResource } from "../resource";
import type { Page } from "../types";
import { useSay, useWords } from "../words";
import { historyImportWords } from "../words/history-imports";
import { importWords } from "../words/imports";
import { ConnectTabs } from "./ConnectTabs";
import { FileButton } from "./FileButton";
import { HISTORY_FILES, type HistoryImport, megabytes, sendFile } from "./history-import";
import { RecentImports } from "./RecentImports";

/** Sends a file, telling how far it is, until it is whole or the page is left. */
export function useSending(done: (state: HistoryImport) => void) {
  const say = useSay();
  const [sending, setSending] = useState<HistoryImport | null>(null);
  const [problem, setProblem] = useState("");
  const stopper = useRef<AbortController>(undefined);
  useEffect(() => () => stopper.current?.abort(), []);
  const send = async (file: File, begun: HistoryImport | null) => {
    stopper.current?.abort();
    const abort = (stopper.current = new AbortController());
    setProblem("");
    try {
      const state = await sendFile(file, begun, setSending, abort.signal);
      done(state);
    } catch (error) {
      if (!abort.signal.aborted) setProblem(say(reasonOf(error)));
    } finally {
      if (stopper.current === abort) setSending(null);
    }
  };
  return { send, sending, problem, stop: () => stopper.current?.abort() };
}

/** How far a file has come. */
export function Sending({ state, onStop }: { state: HistoryImport; onStop: () => void }) {
  const t = useWords(historyImportWords);
  return (
    <div className="ms-stack">
      <progress className="ms-progress" max={state.bytes} value={state.received} aria-label={t("uploading", { name: state.name })} />
      <p role="status" className="ms-num">
        {t("uploading", { name: state.name })}: {t("uploaded", { done: megabytes(state.received), total: megabytes(state.bytes) })}
      </p>
      <div className="ms-actions">
        <Button onClick={onStop}>{t("stopUpload")}</Button>
      </div>
    </div>
  );
}

/** Where an import of history begins: the file; below it the imports of before, with their reports. */
export function HistoryImportPage() {
  const t = useWords(historyImportWords);
  const ti = useWords(importWords);
  const navigate = useNavigate();
  const [over, setOver] = useState(false);
  const open = (id: string) => void navigate(`/connect/history-import/${id}`);
  const recent = useResource("history-imports", (signal) => api.get<Page<HistoryImport>>("/history/imports", {}, signal));
  const { send, sending, problem, stop } = useSending(({ id }) => open(id));
  return (
    <div className="ms-page">
      <div className="ms-title">
        <h1>{t("importHistory")}</h1>
      </div>
      <ConnectTabs />
      <div
        className="ms-drop"
        data-over={over}
        onDragOver={(event) => {
          event.preventDefault();
          setOver(true);
        }}
        onDragLeave={() => setOver(false)}
        onDrop={(event) => {
          event.preventDefault();
          setOver(false);
          const file = event.dataTransfer.files[0];
          if (file) void send(file, null);
        }}
      >
        {sending ? (
          <Sending state={sending} onStop={stop} />
        ) : (
          <>
            <p>{t("dropHere")}</p>
            <div className="ms-actions">
              <FileButton accept={HISTORY_FILES} primary busy={false} onFile={(file) => void send(file, null)}>
                {t("chooseFile")}
              </FileButton>
            </div>
            <p className="ms-third ms-caption">{t("limits")}</p>
            <p className="ms-third ms-caption">{t("large")}</p>
          </>
        )}
      </div>
      {problem ? <p className="ms-fault" role="alert">{problem}</p> : null}
      <RecentImports
        recent={recent}
        amount={t("size")}
        amountOf={({ bytes }) => `${megabytes(bytes)} MB`}
        stageOf={({ stage }) => (stage === "uploading" ? t("stage_uploading") : ti(`stage_${stage}`))}
        onOpen={open}
      />
    </div>
  );
}
