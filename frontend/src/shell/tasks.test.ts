import { describe, expect, it } from "vitest";
import { leftSeconds } from "../connect/import-progress";
import { LONG_MS, shownTasks, type Task } from "./tasks";

const task = (id: string, stage: Task["stage"], elapsed_ms: number): Task => ({
  id,
  name: `${id}.xlsx`,
  stage,
  kind: "import",
  created_ms: 0,
  asked_ms: 7,
  elapsed_ms,
  progress: { done: 50, total: 100, started_ms: 7, rows_per_s: 10 },
  report: null,
  text: null,
});

describe("tasks in the header", () => {
  it("stand there from ten seconds on, and afterwards until they are read", () => {
    const tasks = [task("new", "loading", LONG_MS - 1), task("long", "loading", LONG_MS), task("short", "loaded", 500), task("done", "loaded", 12_000), task("read", "checked", 12_000), task("lost", "interrupted", 60_000)];
    expect(shownTasks(tasks, new Set(["read 7", "long 7"])).map(({ id }) => id)).toEqual(["long", "done", "lost"]);
  });

  it("come back when they are done again", () => {
    const again = { ...task("read", "loaded", 12_000), asked_ms: 8 };
    expect(shownTasks([again], new Set(["read 7"]))).toEqual([again]);
  });
});

describe("time left", () => {
  it("follows from the rate, once there is one", () => {
    expect(leftSeconds({ done: 50, total: 100, started_ms: 0, rows_per_s: 20 })).toBe(3);
    expect(leftSeconds({ done: 0, total: 100, started_ms: 0, rows_per_s: 0 })).toBeNull();
    expect(leftSeconds({ done: 120, total: 100, started_ms: 0, rows_per_s: 20 })).toBe(0);
  });
});
