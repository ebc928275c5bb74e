import type { Messages } from "./format";

export const tasksWords = {
  tasks: { en: "Background tasks", zh: "后台任务" },
  running: { en: "{n, plural, one {# background task is running} other {# background tasks are running}}", zh: "{n} 个后台任务正在运行" },
  ended: { en: "{n, plural, one {# background task has ended} other {# background tasks have ended}}", zh: "{n} 个后台任务已结束" },
  endedNow: { en: "{name}: {stage}", zh: "{name}：{stage}" },
  progressOf: { en: "Progress of {name}", zh: "{name} 的进度" },
  dismiss: { en: "Clear", zh: "清除" },
} as const satisfies Messages;
