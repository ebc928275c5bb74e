/** The active alarms of the plant, outside React: read once, kept by the live feed, told at most four times a second. */

import { useSyncExternalStore } from "react";
import { api } from "../api";
import { live, type LiveAlarm } from "../live";
import { PRIORITIES, type Priority } from "../theme/tokens";
import type { Alarm, AlarmCounts, AlarmPage, AlarmState, Words } from "../types";

/** What is held in the page at most; beyond it the server's counts still tell the truth. */
export const ALARMS_MAX = 5000;
const PAGE = 5000;
const ACKNOWLEDGE_AT_ONCE = 1000;
const TELL_EVERY_MS = 250;
const RECOUNT_AFTER_MS = 2000;
const RETRY_AFTER_MS = 5000;

export interface AlarmList {
  alarms: readonly Alarm[];
  /** How many stand in the plant; more than are held here only in the worst flood. */
  total: number;
  counts: AlarmCounts;
  /** Alarms whose acknowledgement is under way. */
  pending: ReadonlySet<string>;
  loaded: boolean;
  error: unknown;
}

export const noCounts = (): AlarmCounts =>
  Object.fromEntries(PRIORITIES.map((priority) => [priority, { unacknowledged: 0, total: 0 }])) as AlarmCounts;

const SILENT: ReadonlySet<AlarmState> = new Set(["normal", "shelved", "out-of-service", "suppressed"]);
const isUnacknowledged = (state: AlarmState) => state.endsWith("-unacknowledged");
const RANK = Object.fromEntries(PRIORITIES.map((priority, index) => [priority, index])) as Record<Priority, number>;

/** Unacknowledged first, then priority, then newest. */
export function byUrgency(one: Alarm, other: Alarm): number {
  const open = Number(isUnacknowledged(other.state)) - Number(isUnacknowledged(one.state));
  return open || RANK[one.priority] - RANK[other.priority] || other.raised_ms - one.raised_ms || (one.alarm < other.alarm ? -1 : 1);
}

export function countAlarms(alarms: Iterable<Alarm>): AlarmCounts {
  const counts = noCounts();
  for (const alarm of alarms) {
    counts[alarm.priority].total += 1;
    if (isUnacknowledged(alarm.state)) counts[alarm.priority].unacknowledged += 1;
  }
  return counts;
}

const EMPTY: AlarmList = { alarms: [], total: 0, counts: noCounts(), pending: new Set(), loaded: false, error: null };

interface Refused {
  alarm: string;
  text: Words;
}

export class AlarmStore {
  private readonly held = new Map<string, Alarm>();
  private readonly pending = new Set<string>();
  private readonly listeners = new Set<() => void>();
  private list: AlarmList = EMPTY;
  private beyond = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private recount: ReturnType<typeof setTimeout> | null = null;
  private reading = 0;

  current = (): AlarmList => this.list;

  onChange = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Read everything again: at the start and after a cut of the feed. */
  read = async (): Promise<void> => {
    const round = ++this.reading;
    try {
      const found: Alarm[] = [];
      let page: AlarmPage;
      do {
        page = await api.get<AlarmPage>("/alarms", { offset: found.length, limit: PAGE });
        found.push(...page.items);
      } while (page.items.length > 0 && found.length < Math.min(page.total, ALARMS_MAX));
      if (round !== this.reading) return;
      this.held.clear();
      for (const alarm of found) this.held.set(alarm.alarm, alarm);
      this.beyond = Math.max(0, page.total - this.held.size);
      this.publish({ counts: this.beyond > 0 ? page.counts : countAlarms(this.held.values()), error: null, loaded: true });
    } catch (error) {
      if (round !== this.reading) return;
      this.publish({ error });
      this.recount ??= setTimeout(this.readAgain, RETRY_AFTER_MS);
    }
  };

  hear(alarm: LiveAlarm): void {
    // A comment changes nothing in the list.
    if (alarm.transition === "commented") return;
    this.pending.delete(alarm.alarm);
    const known = this.held.get(alarm.alarm);
    // A later transition tells the value of its own time: the list shows what raised the alarm.
    const raise = known?.raised_ms === alarm.raised_ms ? { value: known.value, limit: known.limit } : null;
    if (SILENT.has(alarm.state) || alarm.transition === "removed") this.held.delete(alarm.alarm);
    else if (this.held.has(alarm.alarm) || this.held.size < ALARMS_MAX) this.held.set(alarm.alarm, { ...alarm, ...raise });
    if (this.beyond > 0) this.recount ??= setTimeout(this.readAgain, RECOUNT_AFTER_MS);
    this.timer ??= setTimeout(this.tellLater, TELL_EVERY_MS);
  }

  /** Ask the server; rows stay pending until the feed confirms them. Returns those refused, with the reason. */
  async acknowledge(alarms: readonly string[], comment = ""): Promise<Refused[]> {
    for (const alarm of alarms) this.pending.add(alarm);
    this.publish({});
    try {
      const refused: Refused[] = [];
      for (let start = 0; start < alarms.length; start += ACKNOWLEDGE_AT_ONCE) {
        const part = alarms.slice(start, start + ACKNOWLEDGE_AT_ONCE);
        refused.push(...(await api.post<{ refused: Refused[] }>("/alarms/acknowledge", { alarms: part, comment })).refused);
      }
      return refused;
    } finally {
      await this.read();
      for (const alarm of alarms) this.pending.delete(alarm);
      this.publish({});
    }
  }

  private readonly tellLater = () => this.publish(this.beyond > 0 ? {} : { counts: countAlarms(this.held.values()) });

  private readonly readAgain = () => {
    this.recount = null;
    void this.read();
  };

  private publish(change: Partial<AlarmList>): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const alarms = [...this.held.values()].sort(byUrgency);
    this.list = { ...this.list, alarms, total: alarms.length + this.beyond, pending: new Set(this.pending), ...change };
    for (const listener of this.listeners) listener();
  }
}

export const alarmStore = new AlarmStore();

/** Keep the store by the feed; returns the way to stop. */
export function followAlarms(): () => void {
  const stops = [live.onAlarm((alarm) => alarmStore.hear(alarm)), live.onConnected(() => void alarmStore.read())];
  void alarmStore.read();
  return () => stops.forEach((stop) => stop());
}

export function useAlarmList(): AlarmList {
  return useSyncExternalStore(alarmStore.onChange, alarmStore.current);
}
