import { useId, useState } from "react";
import { Button, Input } from "antd";
import { api, reasonOf } from "../api";
import type { SampleKind, Words } from "../types";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import type { Question } from "./Checks";
import { ADDRESS, emptyRow, type SheetRow } from "./rows";

interface Mapped {
  address: Record<string, unknown>;
  kind: SampleKind;
  value: unknown;
  time_ms: number | null;
}
interface Tried {
  values: Mapped[];
  faults: { text: Words }[];
}

const textOf = (value: unknown): string => (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? ""));

function rowOf({ address, kind }: Mapped): SheetRow {
  const cells = Object.fromEntries(Object.entries(address).map(([key, value]) => [ADDRESS + key, textOf(value)]));
  const name = Object.values(address).map(textOf).filter((part) => part !== "").at(-1) ?? "";
  return { ...emptyRow(), cells: { ...cells, kind, name: name.split(/[./]/).at(-1) ?? name } };
}

/** A sample message put through the mapping: which values it gives, and why it gives none. */
export function MappingTry({ question, onAdd }: { question: Question; onAdd: (rows: SheetRow[]) => void }) {
  const t = useWords(connectWords);
  const say = useSay();
  const id = useId();
  const [topic, setTopic] = useState("");
  const [sample, setSample] = useState("");
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState<Tried | null>(null);
  const [problem, setProblem] = useState("");
  const attempt = async () => {
    setBusy(true);
    setProblem("");
    try {
      const { driver, settings } = question;
      setTried(await api.post<Tried>("/connections/try-mapping", { driver, settings, topic, sample }));
    } catch (error) {
      setTried(null);
      setProblem(say(reasonOf(error)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <section className="ms-panel" aria-label={t("tryMapping")}>
      <h2>{t("tryMapping")}</h2>
      <div className="ms-panel-body ms-stack ms-narrow-column">
        <div>
          <label htmlFor={`${id}-topic`}>{t("topic")}</label>
          <Input id={`${id}-topic`} className="ms-code" value={topic} placeholder="plant/line-1/sensor-7" onChange={(event) => setTopic(event.target.value)} />
        </div>
        <div>
          <label htmlFor={`${id}-sample`}>{t("sampleMessage")}</label>
          <Input.TextArea id={`${id}-sample`} className="ms-code" rows={5} value={sample} placeholder={'{"temperature": 21.5}'} onChange={(event) => setSample(event.target.value)} />
        </div>
        <div className="ms-actions">
          <Button disabled={topic === "" || sample === ""} loading={busy} onClick={() => void attempt()}>
            {t("tryIt")}
          </Button>
          {tried && tried.values.length > 0 ? (
            <Button onClick={() => onAdd(tried.values.map(rowOf))}>{t("addSelected", { n: tried.values.length })}</Button>
          ) : null}
        </div>
        {problem ? <p className="ms-fault" role="alert">{problem}</p> : null}
        {tried?.faults.map(({ text }, index) => (
          <p key={index} className="ms-fault">
            {say(text)}
          </p>
        ))}
        {tried ? <p role="status">{tried.values.length === 0 ? t("mapsNothing") : t("mapsValues", { n: tried.values.length })}</p> : null}
        {tried && tried.values.length > 0 ? (
          <div className="ms-scroll">
            <table className="ms-table">
              <thead>
                <tr>
                  <th scope="col">{t("address")}</th>
                  <th scope="col">{t("col_kind")}</th>
                  <th scope="col">{t("value")}</th>
                </tr>
              </thead>
              <tbody>
                {tried.values.map((each, index) => (
                  <tr key={index}>
                    <td className="ms-code">{Object.values(each.address).map(textOf).join(" ")}</td>
                    <td>{t(`kind_${each.kind}`)}</td>
                    <td className="ms-num">{textOf(each.value)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        ) : null}
      </div>
    </section>
  );
}
