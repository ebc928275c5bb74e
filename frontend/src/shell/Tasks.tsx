import { useEffect, useState } from "react";
import { Link, useLocation } from "react-router";
import { Button, Drawer } from "antd";
import { api } from "../api";
import { Icon } from "../components/Icon";
import { reportText, useProgressText } from "../connect/import-progress";
import { useHistoryProgress } from "../connect/history-import";
import { useFailed } from "../failed";
import { formatCount } from "../format/number";
import { useSay, useWords } from "../words";
import { historyImportWords } from "../words/history-imports";
import { importWords } from "../words/imports";
import { tasksWords } from "../words/tasks";
import { addressOf, isRunning, pageOf, type Task, tasksChanged, useTasks } from "./tasks";

function Row({ task, onOpen, onDismiss }: { task: Task; onOpen: () => void; onDismiss: () => void }) {
  const t = useWords(tasksWords);
  const ti = useWords(importWords);
  const say = useSay();
  const failed = useFailed();
  const progressText = useProgressText();
  const historyText = useHistoryProgress();
  const th = useWords(historyImportWords);
  const { name, stage, progress, text } = task;
  const running = isRunning(task);
  const cancel = () => api.post(`${addressOf(task)}/cancel`).then(tasksChanged, failed);
  const toldProgress = () => (task.kind === "history" ? historyText(progress) : progressText(progress));
  const toldReport = () => {
    if (task.kind === "import") return reportText(ti, task);
    return task.report ? th("done", { stored: formatCount(task.report.stored), seconds: task.report.seconds }) : "";
  };
  return (
    <li className="ms-pad ms-stack">
      <div className="ms-row">
        <Link to={pageOf(task)} className="ms-grow ms-cut ms-bold" title={name} onClick={onOpen}>
          {name}
        </Link>
        <span className="ms-second">{ti(`stage_${stage}`)}</span>
      </div>
      {running ? <progress className="ms-progress" max={Math.max(1, progress.total)} value={progress.done} aria-label={t("progressOf", { name })} /> : null}
      <p className="ms-num ms-caption ms-second">{running ? toldProgress() : text ? say(text) : toldReport()}</p>
      <div className="ms-actions">
        {running ? (
          <Button size="small" onClick={() => void cancel()}>
            {t("cancel")}
          </Button>
        ) : (
          <Button size="small" onClick={onDismiss}>
            {t("dismiss")}
          </Button>
        )}
      </div>
    </li>
  );
}

/** Work that takes long: it goes on when its page is left, and its report waits here until it is read. */
export function Tasks() {
  const t = useWords(tasksWords);
  const ti = useWords(importWords);
  const { pathname } = useLocation();
  const [open, setOpen] = useState(false);
  const { tasks, dismiss } = useTasks();
  const running = tasks.filter(isRunning).length;
  const here = tasks.find((task) => !isRunning(task) && pageOf(task) === pathname);
  useEffect(() => {
    if (here) dismiss(here);
  }, [here, dismiss]);
  useEffect(() => {
    if (tasks.length === 0) setOpen(false);
  }, [tasks.length]);
  const ended = tasks.find((task) => !isRunning(task));
  const label = running > 0 ? t("running", { n: running }) : t("ended", { n: tasks.length });
  return (
    <>
      <span role="status" className="ms-hidden">
        {ended ? t("endedNow", { name: ended.name, stage: ti(`stage_${ended.stage}`) }) : ""}
      </span>
      {tasks.length > 0 ? (
        <button type="button" className="ms-plain ms-icon-button ms-tasks" aria-haspopup="dialog" aria-expanded={open} aria-label={label} title={label} onClick={() => setOpen(true)}>
          <Icon name="tasks" />
          <span aria-hidden="true" className="ms-num">
            {running > 0 ? running : "✓"}
          </span>
        </button>
      ) : null}
      <Drawer open={open} onClose={() => setOpen(false)} title={t("tasks")} size={400} destroyOnHidden>
        <ul className="ms-list">
          {tasks.map((task) => (
            <Row key={task.id} task={task} onOpen={() => setOpen(false)} onDismiss={() => dismiss(task)} />
          ))}
        </ul>
      </Drawer>
    </>
  );
}
