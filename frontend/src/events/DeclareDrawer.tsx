import { useId, useState } from "react";
import { Alert, App, Button, Checkbox, Drawer, Input, Radio } from "antd";
import { api, ApiError } from "../api";
import { useAskFirst } from "../components/ask-first";
import { useWords } from "../words";
import { eventWords } from "../words/events";
import { type EventFault, eventFaults } from "./faults";
import { FaultList } from "./ImportDrawer";
import type { Reading } from "./read";
import type { EpcisEvent } from "./types";

const CONTEXT = "https://ref.gs1.org/standards/epcis/epcis-context.jsonld";
const WRONG = "incorrect_data";

/** A new identifier; `crypto.randomUUID` is there on secure pages alone. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `urn:uuid:${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}

/** What a repository adds: a new event has none of it. */
const ADDED = new Set(["@context", "eventID", "recordTime", "errorDeclaration"]);
const copyOf = (event: EpcisEvent) => JSON.stringify(Object.fromEntries(Object.entries(event).filter(([name]) => !ADDED.has(name))), null, 2);

/** Declare an event wrong, perhaps with the right one in its place: both are taken in at once or not at all. */
export function DeclareDrawer({ event, reading, onClose, onDeclared }: { event: EpcisEvent; reading: Reading; onClose: () => void; onDeclared: () => void }) {
  const t = useWords(eventWords);
  const { say, vocabulary } = reading;
  const id = useId();
  const { message } = App.useApp();
  const { setChanged, leave } = useAskFirst(onClose);
  const [reason, setReason] = useState("");
  const [along, setAlong] = useState(true);
  const [text, setText] = useState(() => copyOf(event));
  // One for all tries: if an answer is lost, the right event is known when it is sent again.
  const [corrective] = useState(newId);
  const [busy, setBusy] = useState(false);
  const [faults, setFaults] = useState<readonly EventFault[]>([]);
  const replaces = reason === WRONG && along;
  const declare = async () => {
    const { "@context": context, ...wrong } = event;
    let right: object[] = [];
    try {
      right = replaces ? [{ ...(JSON.parse(text) as object), eventID: corrective }] : [];
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return setFaults([{ number: 2, field: "", text: { en: t("noJson", { reason: why }), zh: t("noJson", { reason: why }) } }]);
    }
    const declaration = { declarationTime: new Date().toISOString(), reason, ...(replaces && { correctiveEventIDs: [corrective] }) };
    const prefixes = (Array.isArray(context) ? (context as unknown[]) : [context]).filter((part) => typeof part === "object" && part !== null);
    setBusy(true);
    setFaults([]);
    try {
      await api.post("/epcis/capture", {
        "@context": [CONTEXT, ...prefixes], type: "EPCISDocument", schemaVersion: "2.0", creationDate: new Date().toISOString(),
        epcisBody: { eventList: [{ ...wrong, errorDeclaration: declaration }, ...right] },
      });
      message.success(t("declared"), 6);
      setChanged(false);
      onClose();
      onDeclared();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const told = eventFaults(error.fields);
      setFaults(told.length > 0 ? told : [{ number: null, field: "", text: error.text }]);
    } finally {
      setBusy(false);
    }
  };
  const edit = (change: () => void) => {
    setChanged(true);
    change();
  };
  return (
    <Drawer
      open
      onClose={leave}
      title={t("declare")}
      size={560}
      footer={
        <div className="ms-actions">
          <Button type="primary" disabled={reason === ""} loading={busy} onClick={() => void declare()}>{t("declare")}</Button>
          <Button onClick={leave}>{t("cancel")}</Button>
        </div>
      }
    >
      <div className="ms-stack">
        <p>{t("declareText")}</p>
        {faults.length > 0 ? <Alert type="error" role="alert" title={<FaultList faults={faults} nameOf={(number) => t(number === 1 ? "isDeclaration" : "rightEvent")} />} /> : null}
        <div>
          <p id={`${id} reason`}>{t("reason")}</p>
          <Radio.Group aria-labelledby={`${id} reason`} value={reason} onChange={({ target }) => edit(() => setReason(target.value as string))} options={Object.entries(vocabulary.words.reason).map(([value, words]) => ({ value, label: say(words) }))} />
        </div>
        {reason === WRONG ? (
          <>
            <Checkbox checked={along} onChange={({ target }) => edit(() => setAlong(target.checked))}>{t("sendRight")}</Checkbox>
            {along ? (
              <div>
                <label htmlFor={id}>{t("rightEvent")}</label>
                <Input.TextArea id={id} className="ms-code" rows={16} spellCheck={false} value={text} aria-describedby={`${id} hint`} onChange={({ target }) => edit(() => setText(target.value))} />
                <p id={`${id} hint`} className="ms-third ms-caption">{t("rightHint")}</p>
              </div>
            ) : null}
          </>
        ) : null}
      </div>
    </Drawer>
  );
}
