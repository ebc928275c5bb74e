import { useEffect, useMemo, useState } from "react";
import { api } from "../api";
import { useResource } from "../resource";
import type { Alarm } from "../types";
import { FLOOD_MS } from "./flood-areas";
import { areaOfPath } from "./text";

const DAY_MS = 86_400_000;
const RENEW_MS = 60_000;

export type Mark = "firstOut" | "standingMark" | "chatteringMark";

/**
 * What is worth knowing of an alarm beside its state: it came first in its area, others following within ten minutes
 * of each other; it has stood for over a day; it comes and goes.
 */
export function marksOf(alarms: readonly Alarm[], chattering: ReadonlySet<string>, now: number): ReadonlyMap<string, Mark[]> {
  const found = new Map<string, Mark[]>();
  const mark = (alarm: string, as: Mark) => found.set(alarm, [...(found.get(alarm) ?? []), as]);
  const rows = new Map<string, Alarm[]>();
  for (const alarm of [...alarms].sort((one, other) => one.raised_ms - other.raised_ms)) {
    const area = areaOfPath(alarm.path);
    const row = rows.get(area) ?? [];
    rows.set(area, row);
    const last = row.at(-1);
    if (last && alarm.raised_ms - last.raised_ms > FLOOD_MS) row.length = 0;
    row.push(alarm);
    if (row.length === 2 && row[0]) mark(row[0].alarm, "firstOut");
  }
  for (const { alarm, raised_ms, state } of alarms) {
    if (state.startsWith("active") && now - raised_ms > DAY_MS) mark(alarm, "standingMark");
    if (chattering.has(alarm)) mark(alarm, "chatteringMark");
  }
  return found;
}

/** The marks of the list; which alarms chatter is asked anew every minute. */
export function useMarks(alarms: readonly Alarm[], now: number): ReadonlyMap<string, Mark[]> {
  const [minute, setMinute] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setMinute((before) => before + 1), RENEW_MS);
    return () => clearInterval(timer);
  }, []);
  const recent = useResource(String(minute), (signal) => {
    const end_ms = Date.now();
    return api.get<{ chattering: { alarm: string }[] }>("/alarms/performance", { start_ms: end_ms - FLOOD_MS, end_ms }, signal);
  });
  const chattering = recent.value?.chattering;
  return useMemo(() => marksOf(alarms, new Set(chattering?.map(({ alarm }) => alarm)), now), [alarms, chattering, now]);
}
