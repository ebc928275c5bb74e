import { useEffect, useMemo, useState } from "react";
import { api } from "../api";
import { useLiveAlarms } from "../live";
import { useResource } from "../resource";
import type { Alarm, AlarmEvent, Page } from "../types";
import { type AlarmBar, barsOf } from "./alarmBars";
import type { Zoom } from "./range";

const EVENTS_MAX = 1000;
const AGAIN_MS = 1000;

/** The alarms of these tags inside a span, and the reason when they could not be had. */
export function useAlarmBars(tags: readonly number[], span: Zoom, isLive: boolean): { bars: AlarmBar[]; error: unknown } {
  const tagKey = tags.join();
  const length = Math.round((span.end_ms - span.start_ms) / 1000);
  const place = isLive ? `live ${length}` : `${span.start_ms} ${span.end_ms}`;
  const key = tagKey === "" ? null : `${tagKey} ${place}`;
  const found = useResource(key, async (signal) => {
    const query = { start_ms: Math.round(span.start_ms), end_ms: Math.round(span.end_ms), tag: tagKey, limit: EVENTS_MAX };
    const [events, active] = await Promise.all([
      api.get<Page<AlarmEvent>>("/alarms/history", query, signal),
      api.get<Page<Alarm>>("/alarms", { limit: EVENTS_MAX }, signal),
    ]);
    return { events: events.items, active: active.items };
  });
  const { reload } = found;
  const [due, setDue] = useState(0);
  useLiveAlarms((alarm) => {
    if (tags.includes(alarm.tag)) setDue((count) => count + 1);
  });
  useEffect(() => {
    if (due === 0) return;
    // A flood of alarms reads the list once a second, not once an alarm.
    const timer = setTimeout(reload, AGAIN_MS);
    return () => clearTimeout(timer);
  }, [due, reload]);
  const bars = useMemo(() => {
    const chosen = new Set(tagKey.split(",").map(Number));
    const { events = [], active = [] } = found.value ?? {};
    const mine = <T extends { tag: number }>(rows: readonly T[]) => rows.filter(({ tag }) => chosen.has(tag));
    return barsOf(mine(events), mine(active), { start_ms: 0, end_ms: Number.MAX_SAFE_INTEGER });
  }, [found.value, tagKey]);
  return { bars, error: found.error };
}
