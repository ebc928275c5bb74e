import { useEffect } from "react";
import { api } from "../api";
import { keepFeed, live, type LiveAlarm } from "../live";
import type { Priority } from "../theme/tokens";
import type { AlarmState, AlarmTransition, Words } from "../types";
import { useSay, useWords } from "../words";
import { noticesWords } from "../words/notices";

export interface Subscription {
  id: string;
  channel: "mail" | "webhook" | "page";
  target: string;
  area: { id: string; name: Words; path: string } | null;
  priorities: Priority[];
  transitions: string[];
  gather_s: number;
  enabled: boolean;
  sent_ms: number | null;
  fault: Words | null;
  version: number;
}
export interface Subscriptions {
  items: Subscription[];
  mail: boolean;
  webhook_hosts: string[];
}

/** Tells the shell that what is subscribed has changed. */
export const CHANGED = "ms-subscriptions";

/** Whether a subscription to the open page is about this change of an alarm. */
export function concerns(subscription: Subscription, alarm: Pick<LiveAlarm, "priority" | "transition" | "path" | "state">): boolean {
  const { channel, enabled, priorities, transitions, area } = subscription;
  if (channel !== "page" || !enabled) return false;
  const inside = area === null || `${alarm.path}/`.startsWith(`${area.path}/`);
  // An alarm that comes back from where nobody was told of it is raised now, to those who are told.
  const told = RETURNING.has(alarm.transition) && alarm.state === "active-unacknowledged" ? "raised" : alarm.transition;
  const setAside = SET_ASIDE.has(alarm.state);
  return inside && !setAside && priorities.includes(alarm.priority) && transitions.includes(told);
}

/** Value and place, and the mark of what comes from a recording. */
export function bodyOf(alarm: Pick<LiveAlarm, "value" | "unit" | "path" | "replayed">, replayed: string): string {
  const value = alarm.value === null ? "" : `${String(alarm.value)} ${alarm.unit}`;
  return `${value}\n${alarm.path}${alarm.replayed ? `\n↻ ${replayed}` : ""}`.trim();
}

const RETURNING: ReadonlySet<AlarmTransition> = new Set(["unshelved", "in-service", "unsuppressed"]);
const SET_ASIDE: ReadonlySet<AlarmState> = new Set(["shelved", "out-of-service", "suppressed"]);

const granted = () => typeof Notification !== "undefined" && Notification.permission === "granted";

/** Shows a notification of the browser for each alarm the person subscribed to; the feed then goes on in a hidden tab. */
export function usePageNotices(on: boolean): void {
  const say = useSay();
  const t = useWords(noticesWords);
  useEffect(() => {
    if (!on) return undefined;
    let mine: Subscription[] = [];
    let release: (() => void) | undefined;
    const read = () => {
      api.get<Subscriptions>("/subscriptions").then(
        ({ items }) => {
          mine = items.filter(({ channel, enabled }) => channel === "page" && enabled);
          release?.();
          release = mine.length > 0 && granted() ? keepFeed() : undefined;
        },
        () => undefined,
      );
    };
    const tell = (alarm: LiveAlarm) => {
      if (!granted() || !mine.some((subscription) => concerns(subscription, alarm))) return;
      // One per alarm: what it was before is replaced.
      const shown = new Notification(`[${t(alarm.priority)}] ${say(alarm.name)}`, { body: bodyOf(alarm, t("replayed")), tag: alarm.alarm });
      shown.onclick = () => {
        window.focus();
        shown.close();
      };
    };
    read();
    window.addEventListener(CHANGED, read);
    const unlisten = live.onAlarm(tell);
    return () => {
      window.removeEventListener(CHANGED, read);
      unlisten();
      release?.();
    };
  }, [on, say, t]);
}
