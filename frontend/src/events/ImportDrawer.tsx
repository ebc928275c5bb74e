import { useState } from "react";
import { Alert, Drawer } from "antd";
import { ApiError, request } from "../api";
import { FileButton } from "../connect/FileButton";
import type { Words } from "../types";
import { useSay, useWords } from "../words";
import { eventWords } from "../words/events";
import { type EventFault, eventFaults, FAULTS_MAX } from "./faults";

const CAPTURE_MS = 300_000;

interface Outcome {
  file: string;
  stored: number;
  known: number;
  /** Why nothing was taken in; null where it was. */
  refused: Words | null;
  faults: EventFault[];
}

/** Each refused event with the reason, as many as the server told. */
export function FaultList({ faults, nameOf }: { faults: readonly EventFault[]; nameOf: (number: number) => string }) {
  const t = useWords(eventWords);
  const say = useSay();
  return (
    <>
      {faults.length >= FAULTS_MAX ? <p>{t("refusedFirst", { n: faults.length })}</p> : null}
      <ul className="ms-event-faults">
        {faults.map(({ number, field, text }) => (
          <li key={`${number} ${field}`}>
            <span className="ms-bold">{number === null ? t("wholeFile") : nameOf(number)}</span>{" "}
            <span className="ms-code">{field || (number === null ? "" : t("wholeEvent"))}</span> {say(text)}
          </li>
        ))}
      </ul>
    </>
  );
}

/** Events from a file: all of it or none, with the reason for each that is refused. */
export function ImportDrawer({ onClose, onTaken }: { onClose: () => void; onTaken: () => void }) {
  const t = useWords(eventWords);
  const say = useSay();
  const [busy, setBusy] = useState(false);
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const refused = new Set((outcome?.faults ?? []).flatMap(({ number }) => (number === null ? [] : [number]))).size;
  const faults = outcome ? (
    <>
      {refused > 0 ? <p>{t("refusedCount", { n: refused })}</p> : null}
      <FaultList faults={outcome.faults} nameOf={(number) => t("eventNumber", { n: number })} />
    </>
  ) : null;
  const take = async (file: File) => {
    setBusy(true);
    setOutcome(null);
    try {
      const answer = await request("POST", "/epcis/capture", { file, headers: { "Content-Type": "application/ld+json" }, timeoutMs: CAPTURE_MS });
      const { stored, eventIDs } = (await answer.json()) as { stored: number; eventIDs: string[] };
      setOutcome({ file: file.name, stored, known: eventIDs.length - stored, refused: null, faults: [] });
      onTaken();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setOutcome({ file: file.name, stored: 0, known: 0, refused: error.text, faults: eventFaults(error.fields) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Drawer open onClose={onClose} title={t("importEvents")} size={560}>
      <div className="ms-stack">
        <p>{t("importEventsText")}</p>
        <span><FileButton accept=".json,.jsonld,.xml,application/ld+json,application/json" busy={busy} primary onFile={(file) => void take(file)}>{t("chooseFile")}</FileButton></span>
        {outcome?.refused ? <Alert type="error" role="alert" title={t("refusedFile", { file: outcome.file })} description={outcome.faults.length > 0 ? faults : say(outcome.refused)} /> : null}
        {outcome && !outcome.refused ? <p role="status">{t("taken", { file: outcome.file, stored: outcome.stored, known: outcome.known })}</p> : null}
      </div>
    </Drawer>
  );
}
