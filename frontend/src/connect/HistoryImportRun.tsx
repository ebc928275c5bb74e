import { type ReactNode, useState } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { Button, Checkbox } from "antd";
import { download } from "../api";
import { PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { formatCount } from "../format/number";
import { usePreferences } from "../preferences";
import { useZone } from "../session";
import { useSay, useWords } from "../words";
import { historyImportWords } from "../words/history-imports";
import { importWords } from "../words/imports";
import { AssetSelect, type ChosenAsset } from "./AssetSelect";
import { FileButton } from "./FileButton";
import { HISTORY_FILES, type HistoryImport, type HistoryStage, type Layout, megabytes, useHistoryProgress } from "./history-import";
import { Sending, useSending } from "./HistoryImportPage";
import { HistoryLayout } from "./HistoryLayout";
import { useRun } from "./use-run";

const STEPS = ["stepFile", "stepColumns", "stepCheck", "stepLoad", "stepReport"] as const;
const STEP_OF: Record<HistoryStage, number> = { uploading: 0, columns: 1, checking: 2, checked: 2, loading: 3, cancelled: 3, failed: 3, interrupted: 3, loaded: 4 };
const isWorking = (stage: HistoryStage) => stage === "checking" || stage === "loading";

interface StageProps {
  state: HistoryImport;
  act: (path: string, body?: unknown) => Promise<void>;
  onLayout: () => void;
}

function Upload({ state, onDone }: { state: HistoryImport; onDone: () => void }) {
  const t = useWords(historyImportWords);
  const [wrong, setWrong] = useState(false);
  const { send, sending, problem, stop } = useSending(onDone);
  const chosen = (file: File) => {
    const other = file.size !== state.bytes || file.name.slice(0, 200) !== state.name;
    setWrong(other);
    if (!other) void send(file, state);
  };
  return (
    <section className="ms-panel">
      <div className="ms-panel-body ms-stack">
        {sending ? (
          <Sending state={sending} onStop={stop} />
        ) : (
          <>
            <p>{t("notWhole", { done: megabytes(state.received), total: megabytes(state.bytes) })}</p>
            <div className="ms-actions">
              <FileButton accept={HISTORY_FILES} primary busy={false} onFile={chosen}>
                {t("goOnUpload")}
              </FileButton>
            </div>
          </>
        )}
        {wrong ? <p className="ms-fault" role="alert">{t("otherFile", { name: state.name, size: formatCount(state.bytes) })}</p> : null}
        {problem ? <p className="ms-fault" role="alert">{problem}</p> : null}
      </div>
    </section>
  );
}

function Progress({ state, onCancel }: { state: HistoryImport; onCancel: () => void }) {
  const t = useWords(historyImportWords);
  const ti = useWords(importWords);
  const progressText = useHistoryProgress();
  const { done, total } = state.progress;
  const stage = isWorking(state.stage) ? ti(`stage_${state.stage as "checking" | "loading"}`) : "";
  return (
    <section className="ms-panel">
      <div className="ms-panel-body ms-stack">
        <progress className="ms-progress" max={Math.max(1, total)} value={done} aria-label={stage} />
        <p role="status" className="ms-num">
          {stage}: {progressText(state.progress)}
        </p>
        <p className="ms-third ms-caption">{t("keepsGoing")}</p>
        <div className="ms-actions">
          <Button onClick={onCancel}>{t("cancel")}</Button>
        </div>
      </div>
    </section>
  );
}

function Figures({ figures }: { figures: readonly (readonly [string, number])[] }) {
  return (
    <dl className="ms-health">
      {figures.map(([label, n]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd className="ms-num ms-bold">{formatCount(n)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Downloads({ state }: { state: HistoryImport }) {
  const t = useWords(historyImportWords);
  const failed = useFailed();
  const { language } = usePreferences();
  const found = state.report ?? state.counts;
  const save = (what: "refused" | "unknown") => void download("GET", `/history/imports/${state.id}/${what}`, { query: { language } }, `${what}.csv`).catch(failed);
  return (
    <>
      {found && found.refused > 0 ? <Button onClick={() => save("refused")}>{t("downloadRefused")}</Button> : null}
      {found && found.unknown_names > 0 ? <Button onClick={() => save("unknown")}>{t("downloadUnknown")}</Button> : null}
    </>
  );
}

/** What was refused, or not known: how often, and where first. */
function Counted({ title, head, rows }: { title: string; head: string; rows: { key: string; shown: ReactNode; count: number; line: number }[] }) {
  const t = useWords(historyImportWords);
  if (rows.length === 0) return null;
  return (
    <section className="ms-panel">
      <h2>{title}</h2>
      <div className="ms-scroll">
        <table className="ms-table">
          <thead>
            <tr>
              <th scope="col">{head}</th>
              <th scope="col" className="ms-grid-end">{t("count")}</th>
              <th scope="col" className="ms-grid-end">{t("firstLine")}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ key, shown, count, line }) => (
              <tr key={key}>
                <td>{shown}</td>
                <td className="ms-num ms-grid-end">{formatCount(count)}</td>
                <td className="ms-num ms-grid-end">{formatCount(line)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Faults({ state: { causes, unknown } }: { state: HistoryImport }) {
  const t = useWords(historyImportWords);
  const say = useSay();
  return (
    <>
      <Counted title={t("causes")} head={t("cause")} rows={causes.map(({ cause, text, ...found }) => ({ ...found, key: cause, shown: say(text) }))} />
      <Counted title={t("unknown")} head={t("name")} rows={unknown.map(({ name, ...found }) => ({ ...found, key: name, shown: <span className="ms-code">{name}</span> }))} />
    </>
  );
}

function Checked({ state, act, onLayout }: StageProps) {
  const t = useWords(historyImportWords);
  const zone = useZone();
  const [create, setCreate] = useState(false);
  const [below, setBelow] = useState<ChosenAsset | null>(null);
  const { counts } = state;
  if (!counts) return null;
  const { first_ms, last_ms } = counts;
  const n = counts.values + (create ? counts.unknown_rows : 0);
  return (
    <>
      <section className="ms-panel">
        <Figures
          figures={[
            [t("values"), counts.values],
            [t("refused"), counts.refused],
            [t("unknownRows"), counts.unknown_rows],
            ...(counts.empty > 0 ? ([[t("empty"), counts.empty]] as const) : []),
          ]}
        />
        <div className="ms-panel-body ms-stack">
          {first_ms !== null && last_ms !== null ? (
            <p className="ms-num ms-second">{t("range", { first: zone.full(first_ms).slice(0, 19), last: zone.full(last_ms).slice(0, 19) })}</p>
          ) : null}
          {counts.refused === 0 && counts.unknown_rows === 0 ? <p>{t("noFaults")}</p> : null}
        </div>
      </section>
      <Faults state={state} />
      {counts.unknown_names > 0 ? (
        <section className="ms-panel">
          <div className="ms-panel-body ms-stack">
            <Checkbox checked={create} onChange={(event) => setCreate(event.target.checked)}>
              {t("createTags", { n: counts.unknown_names })}
            </Checkbox>
            {create ? (
              <div>
                <label htmlFor="history-below">{t("createBelow")}</label>
                <AssetSelect id="history-below" value={below} onChange={setBelow} invalid={false} />
              </div>
            ) : null}
            <p className="ms-third ms-caption">{t("createHint")}</p>
          </div>
        </section>
      ) : null}
      {n === 0 ? <p className="ms-caution">{t("nothingToLoad")}</p> : null}
      <p className="ms-third">{t("noUndo")}</p>
      <div className="ms-actions">
        <Button type="primary" disabled={n === 0} onClick={() => void act("load", { create_below: create ? (below?.path ?? "") : null })}>
          {t("load", { n: formatCount(n) })}
        </Button>
        <Downloads state={state} />
        <Button onClick={onLayout}>{t("change")}</Button>
      </div>
    </>
  );
}

function Report({ state, act, onLayout }: StageProps) {
  const t = useWords(historyImportWords);
  const say = useSay();
  const { report, stage, counts } = state;
  return (
    <>
      <section className="ms-panel">
        {report ? (
          <Figures
            figures={[
              [t("stored"), report.stored],
              [t("there"), report.there],
              [t("old"), report.old],
              [t("refused"), report.refused],
              [t("unknownRows"), report.unknown_rows],
            ]}
          />
        ) : null}
        <div className="ms-panel-body ms-stack">
          {state.text ? <p className="ms-fault" role="alert">{say(state.text)}</p> : null}
          {report ? (
            <p role="status" className="ms-num">
              {t("done", { stored: formatCount(report.stored), seconds: report.seconds })} {state.created > 0 ? t("created", { n: formatCount(state.created) }) : ""}
            </p>
          ) : null}
          <div className="ms-actions">
            {stage !== "loaded" && counts ? (
              <Button type="primary" onClick={() => void act("load", { create_below: state.create_below })}>
                {t("goOn")}
              </Button>
            ) : null}
            {stage !== "loaded" && state.columns ? <Button onClick={onLayout}>{t("change")}</Button> : null}
            <Downloads state={state} />
            {stage === "loaded" ? <Link to="/plant">{t("toTrend")}</Link> : null}
          </div>
        </div>
      </section>
      <Faults state={state} />
    </>
  );
}

/** One import of history from its file to its report. */
export function HistoryImportRun() {
  const { id = "" } = useParams();
  const t = useWords(historyImportWords);
  const navigate = useNavigate();
  const { state, act, editing, setEditing, work } = useRun<HistoryImport>(`/history/imports/${id}`, isWorking);
  return (
    <div className="ms-page">
      <nav className="ms-crumbs">
        <Link to="/connect/history-import">{t("importHistory")}</Link>
      </nav>
      <PageState state={state} rows={6}>
        {(value) => {
          const { stage } = value;
          const columns = editing || stage === "columns";
          const at = columns ? 1 : STEP_OF[stage];
          const props = { state: value, act, onLayout: () => setEditing(true) };
          return (
            <>
              <div className="ms-title">
                <h1 className="ms-grow">{value.name}</h1>
                <Button onClick={() => void navigate("/connect/history-import")}>{t("another")}</Button>
              </div>
              <ol className="ms-steps" aria-label={t("steps")}>
                {STEPS.map((step, index) => (
                  <li key={step} aria-current={index === at ? "step" : undefined} className={index === at ? "ms-bold" : "ms-third"}>
                    <span className="ms-step-number">{index + 1}</span> {t(step)}
                  </li>
                ))}
              </ol>
              <div ref={work} className="ms-stack" tabIndex={-1}>
                {stage === "uploading" ? <Upload state={value} onDone={state.reload} /> : null}
                {columns ? <HistoryLayout state={value} onCheck={(layout: Layout) => act("check", layout)} /> : null}
                {!columns && isWorking(stage) ? <Progress state={value} onCancel={() => void act("cancel")} /> : null}
                {!columns && stage === "checked" ? <Checked {...props} /> : null}
                {!columns && at >= 3 && !isWorking(stage) ? <Report {...props} /> : null}
              </div>
            </>
          );
        }}
      </PageState>
    </div>
  );
}
