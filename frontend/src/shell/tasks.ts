import { useCallback, useEffect, useState } from "react";
import { api } from "../api";
import type { HistoryReport } from "../connect/history-import";
import { type ImportState, WORKING } from "../connect/import-types";
import { useSession } from "../session";
import type { Page } from "../types";

interface LongWork extends Pick<ImportState, "id" | "name" | "stage" | "created_ms" | "progress" | "text"> {
  /** When it was asked for, waiting for its turn included. */
  asked_ms: number;
  elapsed_ms: number;
}
/** An import of tags or of records of a kind, or of history. */
export type Task = LongWork & ({ kind: "import"; of?: string; report: ImportState["report"] } | { kind: "history"; report: HistoryReport | null });

/** From this time on a task stands in the header, and its report stays there until it is read. */
export const LONG_MS = 10_000;
const RUNNING_EVERY_MS = 2000;
const QUIET_EVERY_MS = 60_000;
const READ = "ms-tasks-read";
const READ_MAX = 50;
const CHANGED = "ms-tasks";

/** Tells the shell that long work has begun or been cancelled. */
export function tasksChanged(): void {
  window.dispatchEvent(new Event(CHANGED));
}

export const pageOf = (task: Task) =>
  task.kind === "import" && task.of !== undefined && task.of !== "tag" ? `/records/${task.of}/import/${task.id}` : `/connect/${task.kind === "history" ? "history-import" : "import"}/${task.id}`;
export const addressOf = (task: Task) => `/${task.kind === "history" ? "history/" : ""}imports/${task.id}`;
/** One run of a task: what is done again has a report of its own. */
const runOf = (task: Task) => `${task.id} ${task.asked_ms}`;
export const isRunning = (task: Task) => WORKING.has(task.stage);

/** What stands in the header: what has been running for long, and what ran for long and nobody has looked at since. */
export function shownTasks(tasks: readonly Task[], read: ReadonlySet<string>): Task[] {
  return tasks.filter((task) => task.elapsed_ms >= LONG_MS && (isRunning(task) || !read.has(runOf(task))));
}

function readRuns(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(READ) ?? "[]");
    return Array.isArray(found) ? found.filter((each) => typeof each === "string") : [];
  } catch {
    return [];
  }
}

/** The person's long work, asked for every two seconds while some is running. */
export function useTasks(): { tasks: Task[]; dismiss: (task: Task) => void } {
  const { may } = useSession();
  const allowed = may("engineer");
  const [tasks, setTasks] = useState<readonly Task[]>([]);
  const [read, setRead] = useState<ReadonlySet<string>>(() => new Set(readRuns()));
  useEffect(() => {
    if (!allowed) return;
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = () => {
      clearTimeout(timer);
      api.get<Page<Task>>("/tasks", {}, abort.signal).then(
        ({ items }) => {
          setTasks(items);
          timer = setTimeout(ask, items.some(isRunning) ? RUNNING_EVERY_MS : QUIET_EVERY_MS);
        },
        () => {
          if (!abort.signal.aborted) timer = setTimeout(ask, QUIET_EVERY_MS);
        },
      );
    };
    ask();
    window.addEventListener(CHANGED, ask);
    return () => {
      abort.abort();
      clearTimeout(timer);
      window.removeEventListener(CHANGED, ask);
    };
  }, [allowed]);
  const dismiss = useCallback((task: Task) => {
    const runs = [runOf(task), ...readRuns()].slice(0, READ_MAX);
    localStorage.setItem(READ, JSON.stringify(runs));
    setRead(new Set(runs));
  }, []);
  return { tasks: shownTasks(tasks, read), dismiss };
}
