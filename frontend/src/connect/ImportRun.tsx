import { Link, useNavigate, useParams } from "react-router";
import { App, Button } from "antd";
import { download } from "../api";
import { PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { formatCount } from "../format/number";
import { usePreferences } from "../preferences";
import { useSay, useWords } from "../words";
import { importWords } from "../words/imports";
import { ImportCauses } from "./ImportCauses";
import { ImportColumns } from "./ImportColumns";
import { reportText, useProgressText } from "./import-progress";
import { type Counts, type Filled, type ImportOptions, type ImportState, type Stage, TAGS, WORKING } from "./import-types";
import { useRun } from "./use-run";

const STEPS = ["stepFile", "stepColumns", "stepCheck", "stepLoad", "stepReport"] as const;
const STEP_OF: Record<Stage, number> = { columns: 1, checking: 2, checked: 2, loading: 3, cancelled: 3, failed: 3, interrupted: 3, loaded: 4, undoing: 4, undone: 4 };

function Figures({ counts }: { counts: Counts }) {
  const t = useWords(importWords);
  const figures = [
    ["create", counts.created],
    ["update", counts.updated],
    ["unchanged", counts.unchanged],
    ["refused", counts.refused],
  ] as const;
  return (
    <dl className="ms-health">
      {figures.map(([key, n]) => (
        <div key={key}>
          <dt>{t(key)}</dt>
          <dd className="ms-num ms-bold">{formatCount(n)}</dd>
        </div>
      ))}
    </dl>
  );
}

function Progress({ state, onCancel }: { state: ImportState; onCancel: () => void }) {
  const t = useWords(importWords);
  const progressText = useProgressText();
  const { done, total } = state.progress;
  return (
    <section className="ms-panel">
      <div className="ms-panel-body ms-stack">
        <progress className="ms-progress" max={Math.max(1, total)} value={done} aria-label={t(`stage_${state.stage}`)} />
        <p role="status" className="ms-num">
          {t(`stage_${state.stage}`)}: {progressText(state.progress)}
        </p>
        <p className="ms-third ms-caption">{t("keepsGoing")}</p>
        <div className="ms-actions">
          <Button onClick={onCancel}>{t("cancel")}</Button>
        </div>
      </div>
    </section>
  );
}

function Refused({ state }: { state: ImportState }) {
  const t = useWords(importWords);
  const failed = useFailed();
  const { language } = usePreferences();
  if (!state.counts || state.counts.refused === 0) return null;
  const save = (format: "xlsx" | "csv") => download("GET", `/imports/${state.id}/refused`, { query: { format, language } }, `refused.${format}`).catch(failed);
  return (
    <>
      <Button onClick={() => void save("xlsx")}>{t("downloadRefused", { form: "XLSX" })}</Button>
      <Button onClick={() => void save("csv")}>{t("downloadRefused", { form: "CSV" })}</Button>
    </>
  );
}

interface StageProps {
  filled: Filled;
  state: ImportState;
  act: (path: string, body?: unknown) => Promise<void>;
  onColumns: () => void;
}

function Checked({ state, act, onColumns }: Omit<StageProps, "filled">) {
  const t = useWords(importWords);
  const counts = state.counts;
  if (!counts) return null;
  const good = counts.created + counts.updated + counts.unchanged;
  return (
    <>
      <section className="ms-panel">
        <Figures counts={counts} />
      </section>
      <ImportCauses state={state} onFix={(fixes) => act("fix", { fixes })} onCreateAssets={() => act("check", { ...state.options, create_assets: true })} />
      <p className="ms-third">{good === 0 ? t("nothingToLoad") : t("writesNothing")}</p>
      <div className="ms-actions">
        <Button type="primary" disabled={good === 0} onClick={() => void act("load")}>
          {counts.refused === 0 ? t("loadAll", { n: formatCount(good) }) : t("loadSome", { n: formatCount(good), bad: formatCount(counts.refused) })}
        </Button>
        <Refused state={state} />
        <Button onClick={onColumns}>{t("changeColumns")}</Button>
      </div>
    </>
  );
}

function Report({ filled, state, act, onColumns }: StageProps) {
  const t = useWords(importWords);
  const say = useSay();
  const { modal } = App.useApp();
  const { report, stage } = state;
  const undo = () =>
    void modal.confirm({ title: t("undoSure"), content: t(filled.many ? "undoTextRecords" : "undoText"), okText: t("undo"), cancelText: t("cancel"), autoFocusButton: "cancel", onOk: () => act("undo") });
  return (
    <section className="ms-panel">
      <div className="ms-panel-body ms-stack">
        {state.text ? <p className="ms-fault" role="alert">{say(state.text)}</p> : null}
        {report ? (
          <p role="status" className="ms-num">
            {reportText(t, state)}
          </p>
        ) : null}
        <div className="ms-actions">
          {state.counts === null ? <Button onClick={onColumns}>{t("changeColumns")}</Button> : null}
          {stage === "loaded" || stage === "undone" || state.counts === null ? null : <Button onClick={() => void act("load")}>{t("goOn")}</Button>}
          <Refused state={state} />
          {stage === "loaded" ? <Link to={state.options.connection ? `/connect/${state.options.connection}` : filled.list}>{t(filled.many ? "toRecords" : "toTags")}</Link> : null}
          {report && stage !== "undone" ? <Button onClick={undo}>{t("undo")}</Button> : null}
        </div>
      </div>
    </section>
  );
}

/** One import from its columns to its report. */
export function ImportRun({ filled = TAGS }: { filled?: Filled }) {
  const { id = "" } = useParams();
  const t = useWords(importWords);
  const say = useSay();
  const navigate = useNavigate();
  const { state, act, editing, setEditing, work } = useRun<ImportState>(`/imports/${id}`, (stage) => WORKING.has(stage));
  return (
    <div className="ms-page">
      <nav className="ms-crumbs">
        <Link to={filled.home}>{filled.many ? t("importRecords", { many: say(filled.many) }) : t("importTags")}</Link>
      </nav>
      <PageState state={state} rows={6}>
        {(value) => {
          const columns = editing || value.stage === "columns";
          const at = columns ? 1 : STEP_OF[value.stage];
          return (
            <>
              <div className="ms-title">
                <h1 className="ms-grow">{value.name}</h1>
                <Button onClick={() => void navigate(filled.home)}>{t("another")}</Button>
              </div>
              <ol className="ms-steps" aria-label={t("steps")}>
                {STEPS.map((step, index) => (
                  <li key={step} aria-current={index === at ? "step" : undefined} className={index === at ? "ms-bold" : "ms-third"}>
                    <span className="ms-step-number">{index + 1}</span> {t(step)}
                  </li>
                ))}
              </ol>
              <div ref={work} className="ms-stack" tabIndex={-1}>
                {columns ? <ImportColumns filled={value.kind === undefined || value.kind === filled.kind ? filled : { ...filled, kind: value.kind, keys: [] }} state={value} onCheck={(options: ImportOptions) => act("check", options)} /> : null}
                {!columns && WORKING.has(value.stage) ? <Progress state={value} onCancel={() => void act("cancel")} /> : null}
                {!columns && value.stage === "checked" ? <Checked state={value} act={act} onColumns={() => setEditing(true)} /> : null}
                {!columns && at >= 3 && !WORKING.has(value.stage) ? <Report filled={filled} state={value} act={act} onColumns={() => setEditing(true)} /> : null}
              </div>
            </>
          );
        }}
      </PageState>
    </div>
  );
}
