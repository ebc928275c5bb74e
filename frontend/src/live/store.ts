/**
 * The live values of everything shown, outside React: one posted set of tags, one stream, snapshot then deltas.
 * Cells subscribe to their tag and write their own text node.
 */

import type { Alarm, AlarmTransition, DegradedRole } from "../types";

export type LiveNumber = number | string | null;
export interface Cell {
  value: LiveNumber;
  /** Source time, milliseconds UTC. */
  time: number;
  quality: number;
  origin: number;
  known: boolean;
  stale: boolean;
}
export interface Columns {
  now_ms: number;
  tags: number[];
  values: LiveNumber[];
  times: number[];
  qualities: number[];
  origins: number[];
  flags: number[];
}
export interface Beat {
  now_ms: number;
  lag_ms: number | null;
  engine: "ok" | "silent";
}
export type LinkState = "connecting" | "live" | "delayed" | "reconnecting" | "offline";
export interface Link {
  state: LinkState;
  lagMs: number;
  /** Server time of the last beat. */
  sinceMs: number;
}
export type LiveAlarm = Alarm & { transition: AlarmTransition };

/** What carries the store's set of tags to the server and its events back. */
export interface Transport {
  open: (tags: number[]) => Promise<string>;
  change: (id: string, tags: number[]) => Promise<void>;
  stream: (id: string, on: StreamEvents) => () => void;
}
export interface StreamEvents {
  snapshot: (columns: Columns) => void;
  values: (columns: Columns) => void;
  alarm: (alarm: LiveAlarm) => void;
  beat: (beat: Beat) => void;
  roles: (roles: { degraded: DegradedRole[] }) => void;
  /** More alarms changed at once than the server kept for this stream. */
  alarmsMissed: () => void;
  lost: () => void;
}

export const TAGS_MAX = 2000;
export const RECONNECTING_AFTER_MS = 2000;
export const OFFLINE_AFTER_MS = 10_000;
export const DELAYED_FROM_MS = 3000;
const SETTLE_MS = 40;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 10_000;
const KNOWN = 1;
const STALE = 2;

export const UNKNOWN: Cell = { value: null, time: 0, quality: 0, origin: 0, known: false, stale: false };

type Listener = () => void;

export class LiveStore {
  private readonly cells = new Map<number, Cell>();
  private readonly wanted = new Map<number, number>();
  private readonly listeners = new Map<number, Set<(cell: Cell) => void>>();
  private readonly linkListeners = new Set<Listener>();
  private readonly alarmListeners = new Set<(alarm: LiveAlarm) => void>();
  private readonly connectedListeners = new Set<Listener>();
  private link: Link = { state: "connecting", lagMs: 0, sinceMs: 0 };
  private degraded: readonly DegradedRole[] = [];
  private id: string | null = null;
  private sent = "";
  private closeStream: (() => void) | null = null;
  private running = false;
  private generation = 0;
  private greeted = 0;
  private retryMs = RETRY_FIRST_MS;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private lastBeat = 0;
  private skewMs = 0;
  private readonly transport: Transport;
  private readonly clock: () => number;

  constructor(transport: Transport, clock: () => number = Date.now) {
    this.transport = transport;
    this.clock = clock;
  }

  /** The server's clock now, by the last beat. */
  now = (): number => this.clock() + this.skewMs;

  cell = (tag: number): Cell => this.cells.get(tag) ?? UNKNOWN;
  currentLink = (): Link => this.link;
  currentRoles = (): readonly DegradedRole[] => this.degraded;

  start(): void {
    if (this.running) return;
    this.running = true;
    this.lastBeat = this.clock();
    this.connect();
  }

  /** Stop the stream: nothing is sent to a hidden tab. What was shown stays until the next snapshot. */
  stop(): void {
    this.running = false;
    this.drop();
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  /** Ask for tags; the returned function gives them back. */
  acquire(tags: readonly number[]): () => void {
    for (const tag of tags) this.wanted.set(tag, (this.wanted.get(tag) ?? 0) + 1);
    this.settle();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      for (const tag of tags) {
        const left = (this.wanted.get(tag) ?? 1) - 1;
        if (left > 0) this.wanted.set(tag, left);
        else this.wanted.delete(tag);
      }
      this.settle();
    };
  }

  subscribe(tag: number, listener: (cell: Cell) => void): () => void {
    let set = this.listeners.get(tag);
    if (!set) this.listeners.set(tag, (set = new Set()));
    set.add(listener);
    return () => {
      set.delete(listener);
      if (set.size === 0) this.listeners.delete(tag);
    };
  }

  onLink = (listener: Listener): (() => void) => this.watch(this.linkListeners, listener);
  onAlarm = (listener: (alarm: LiveAlarm) => void): (() => void) => this.watch(this.alarmListeners, listener);
  /** At the start, after a cut and when alarms were missed: what happened in between is read again then. */
  onConnected = (listener: Listener): (() => void) => this.watch(this.connectedListeners, listener);

  private watch<T>(set: Set<T>, listener: T): () => void {
    set.add(listener);
    return () => set.delete(listener);
  }

  /** Look at the time since the last beat; called about twice a second. */
  check(): void {
    if (!this.running) return;
    const silence = this.clock() - this.lastBeat;
    if (silence >= OFFLINE_AFTER_MS) this.setState("offline");
    else if (silence >= RECONNECTING_AFTER_MS && this.link.state !== "offline") {
      this.setState(this.link.sinceMs === 0 ? "connecting" : "reconnecting");
    }
  }

  private setState(state: LinkState, lagMs = this.link.lagMs, sinceMs = this.link.sinceMs): void {
    const before = this.link;
    if (before.state === state && before.lagMs === lagMs && before.sinceMs === sinceMs) return;
    this.link = { state, lagMs, sinceMs };
    if (before.state !== state && (state === "offline" || before.state === "offline")) this.markAll();
    for (const listener of this.linkListeners) listener();
  }

  private markAll(): void {
    for (const tag of this.listeners.keys()) this.tell(tag);
  }

  private tell(tag: number): void {
    const cell = this.shown(tag);
    for (const listener of this.listeners.get(tag) ?? []) listener(cell);
  }

  /** A cell as it may be shown: without a feed everything is stale. */
  shown(tag: number): Cell {
    const cell = this.cell(tag);
    return this.link.state === "offline" && cell.known && !cell.stale ? { ...cell, stale: true } : cell;
  }

  private settle(): void {
    if (!this.running || this.timer !== null || this.id === null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.sendChange();
    }, SETTLE_MS);
  }

  private tags(): number[] {
    const all = [...this.wanted.keys()];
    return all.length > TAGS_MAX ? all.slice(-TAGS_MAX) : all;
  }

  private sendChange(): void {
    const tags = this.tags();
    const key = tags.join();
    if (this.id === null || key === this.sent) return;
    const generation = this.generation;
    this.sent = key;
    this.transport.change(this.id, tags).catch(() => {
      if (generation === this.generation) this.retry();
    });
  }

  private connect(): void {
    const generation = ++this.generation;
    const tags = this.tags();
    this.transport.open(tags).then(
      (id) => {
        if (generation !== this.generation || !this.running) return;
        this.id = id;
        this.sent = tags.join();
        this.closeStream = this.transport.stream(id, this.events(generation));
        this.settle();
      },
      () => {
        if (generation === this.generation && this.running) this.retry();
      },
    );
  }

  private events(generation: number): StreamEvents {
    const mine = <T>(handle: (payload: T) => void) => {
      return (payload: T) => {
        if (generation === this.generation) handle(payload);
      };
    };
    return {
      snapshot: mine((columns) => this.apply(columns)),
      values: mine((columns) => this.apply(columns)),
      alarm: mine((alarm) => {
        for (const listener of this.alarmListeners) listener(alarm);
      }),
      beat: mine((beat) => {
        this.beat(beat);
        if (this.greeted !== generation) this.tellConnected(generation);
      }),
      roles: mine(({ degraded }) => {
        this.degraded = degraded;
        for (const listener of this.linkListeners) listener();
      }),
      alarmsMissed: () => {
        if (generation === this.generation) this.tellConnected(generation);
      },
      lost: () => {
        if (generation === this.generation) this.retry();
      },
    };
  }

  private beat(beat: Beat): void {
    this.retryMs = RETRY_FIRST_MS;
    this.lastBeat = this.clock();
    this.skewMs = beat.now_ms - this.lastBeat;
    const lag = beat.lag_ms ?? 0;
    const late = beat.engine === "silent" || lag >= DELAYED_FROM_MS;
    this.setState(late ? "delayed" : "live", lag, beat.now_ms);
  }

  private tellConnected(generation: number): void {
    this.greeted = generation;
    for (const listener of this.connectedListeners) listener();
  }

  private apply(columns: Columns): void {
    for (let row = 0; row < columns.tags.length; row += 1) {
      const tag = columns.tags[row] as number;
      const flags = columns.flags[row] ?? 0;
      this.cells.set(tag, {
        value: columns.values[row] ?? null,
        time: columns.times[row] ?? 0,
        quality: columns.qualities[row] ?? 0,
        origin: columns.origins[row] ?? 0,
        known: (flags & KNOWN) !== 0,
        stale: (flags & STALE) !== 0,
      });
      if (this.listeners.has(tag)) this.tell(tag);
    }
    if (this.cells.size > 4 * TAGS_MAX) this.forget();
  }

  private forget(): void {
    for (const tag of this.cells.keys()) if (!this.wanted.has(tag)) this.cells.delete(tag);
  }

  private drop(): void {
    this.generation += 1;
    this.closeStream?.();
    this.closeStream = null;
    this.id = null;
    this.sent = "";
  }

  private retry(): void {
    this.drop();
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      if (this.running) this.connect();
    }, this.retryMs);
    this.retryMs = Math.min(RETRY_MAX_MS, this.retryMs * 2);
  }
}
