import { useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";
import { api, urlOf } from "../api";
import type { DegradedRole } from "../types";
import { type Cell, type Link, type LiveAlarm, LiveStore, type Transport } from "./store";

export type { Cell, Link, LiveAlarm } from "./store";
export { TAGS_MAX } from "./store";

const CHECK_MS = 500;
/** A tab that is only glanced away from keeps its feed. */
const HIDDEN_AFTER_MS = 5000;
const INTERVAL_MS = 250;

const overHttp: Transport = {
  open: async (tags) => (await api.post<{ id: string }>("/live", { tags, interval_ms: INTERVAL_MS })).id,
  change: (id, tags) => api.put(`/live/${id}`, { tags, interval_ms: INTERVAL_MS }),
  stream: (id, on) => {
    const source = new EventSource(urlOf(`/live/${id}/stream`));
    const names = ["snapshot", "values", "alarm", "beat", "roles"] as const;
    for (const name of names) {
      source.addEventListener(name, (event: MessageEvent<string>) => on[name](JSON.parse(event.data) as never));
    }
    source.addEventListener("alarms-missed", on.alarmsMissed);
    source.onerror = () => {
      source.close();
      on.lost();
    };
    return () => source.close();
  },
};

/** The one store of the page. */
export const live = new LiveStore(overHttp);

let keepers = 0;

/** Let the feed go on in a hidden tab until the returned function is called. */
export function keepFeed(): () => void {
  keepers += 1;
  return () => {
    keepers -= 1;
  };
}

/** Run the feed while someone is signed in who sees any of the plant, and the tab is seen. */
export function useFeed(on: boolean): void {
  useEffect(() => {
    if (!on) return undefined;
    let hiding: ReturnType<typeof setTimeout> | undefined;
    const visibility = () => {
      clearTimeout(hiding);
      if (document.hidden) hiding = setTimeout(() => keepers === 0 && live.stop(), HIDDEN_AFTER_MS);
      else live.start();
    };
    live.start();
    const timer = setInterval(() => live.check(), CHECK_MS);
    document.addEventListener("visibilitychange", visibility);
    return () => {
      clearTimeout(hiding);
      clearInterval(timer);
      document.removeEventListener("visibilitychange", visibility);
      live.stop();
    };
  }, [on]);
}

/** Keep these tags in the feed while the component is shown. */
export function useLiveSet(tags: readonly number[]): void {
  const key = tags.join();
  useEffect(() => live.acquire(key === "" ? [] : key.split(",").map(Number)), [key]);
}

/** Call `write` at once and on every change, outside React: for cells that write their own text node. */
export function useLiveWriter(tag: number, write: (cell: Cell) => void): void {
  const latest = useRef(write);
  useLayoutEffect(() => {
    latest.current = write;
    write(live.shown(tag));
  });
  useEffect(() => live.subscribe(tag, (cell) => latest.current(cell)), [tag]);
}

/** The value of one tag as React state, for the few places that must render it (at most 4 times a second). */
export function useLiveValue(tag: number): Cell {
  const [cell, setCell] = useState<Cell>(() => live.shown(tag));
  useEffect(() => {
    setCell(live.shown(tag));
    return live.subscribe(tag, setCell);
  }, [tag]);
  return cell;
}

export function useLink(): Link {
  return useSyncExternalStore(live.onLink, live.currentLink);
}

export function useDegradedRoles(): readonly DegradedRole[] {
  return useSyncExternalStore(live.onLink, live.currentRoles);
}

/** Hear of alarms as they change. */
export function useLiveAlarms(hear: (alarm: LiveAlarm) => void): void {
  const latest = useRef(hear);
  useLayoutEffect(() => {
    latest.current = hear;
  });
  useEffect(() => live.onAlarm((alarm) => latest.current(alarm)), []);
}

/** Call `tick` with the server's time now and once a second, outside React: for ages and clocks. */
export function useSecond(tick: (nowMs: number) => void): void {
  const latest = useRef(tick);
  useLayoutEffect(() => {
    latest.current = tick;
    tick(live.now());
  });
  useEffect(() => {
    const timer = setInterval(() => latest.current(live.now()), 1000);
    return () => clearInterval(timer);
  }, []);
}
