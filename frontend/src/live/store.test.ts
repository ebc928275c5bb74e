import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Cell, type Columns, LiveStore, OFFLINE_AFTER_MS, RECONNECTING_AFTER_MS, type StreamEvents, type Transport } from "./store";

/** A server in memory: keeps the posted sets and lets the test speak on the stream. */
class Server implements Transport {
  opened: number[][] = [];
  changed: number[][] = [];
  streams: { on: StreamEvents; closed: boolean }[] = [];
  refusing = false;

  open = (tags: number[]) => {
    this.opened.push(tags);
    return this.refusing ? Promise.reject(new Error("refused")) : Promise.resolve(`set-${this.opened.length}`);
  };
  change = (_: string, tags: number[]) => {
    this.changed.push(tags);
    return Promise.resolve();
  };
  stream = (_: string, on: StreamEvents) => {
    const stream = { on, closed: false };
    this.streams.push(stream);
    return () => {
      stream.closed = true;
    };
  };
  get on(): StreamEvents {
    return this.streams.at(-1)!.on;
  }
}

const columns = (tags: number[], values: Columns["values"], flags = 1): Columns => ({
  now_ms: 0,
  tags,
  values,
  times: tags.map(() => 1000),
  qualities: tags.map(() => 192),
  origins: tags.map(() => 0),
  flags: tags.map(() => flags),
});

let server: Server;
let store: LiveStore;
const settle = (ms = 100) => vi.advanceTimersByTimeAsync(ms);
const beat = (lag_ms = 300) => server.on.beat({ now_ms: Date.now() + 5000, lag_ms, engine: "ok" });

beforeEach(async () => {
  vi.useFakeTimers({ now: 1_000_000 });
  server = new Server();
  store = new LiveStore(server);
  store.start();
  await settle();
});

describe("the set of tags", () => {
  it("is posted once, changed after many cells have asked, and given back", async () => {
    const giveBack = store.acquire([1, 2]);
    const other = store.acquire([2, 3]);
    await settle();
    expect(server.opened).toEqual([[]]);
    expect(server.changed).toEqual([[1, 2, 3]]);
    giveBack();
    giveBack();
    await settle();
    expect(server.changed.at(-1)).toEqual([2, 3]);
    other();
    await settle();
    expect(server.changed.at(-1)).toEqual([]);
  });

  it("is not sent again when nothing changed", async () => {
    store.acquire([1])();
    await settle();
    expect(server.changed).toEqual([]);
  });

  it("is posted anew after the stream was lost", async () => {
    store.acquire([7]);
    await settle();
    server.on.lost();
    await settle(600);
    expect(server.opened.at(-1)).toEqual([7]);
    expect(server.streams).toHaveLength(2);
    expect(server.streams[0]?.closed).toBe(true);
  });
});

describe("values", () => {
  it("reach only the cells of their tag, and nobody after leaving", () => {
    const heard: Cell[] = [];
    const leave = store.subscribe(5, (cell) => heard.push(cell));
    server.on.snapshot(columns([5, 6], [1.5, 2]));
    server.on.values(columns([6], [3]));
    expect(heard.map(({ value }) => value)).toEqual([1.5]);
    leave();
    server.on.values(columns([5], [9]));
    expect(heard).toHaveLength(1);
    expect(store.cell(5).value).toBe(9);
  });

  it("carry the flags known and stale; an unheard tag is unknown", () => {
    server.on.snapshot(columns([5], [1], 3));
    expect(store.cell(5)).toMatchObject({ known: true, stale: true });
    expect(store.cell(99).known).toBe(false);
  });

  it("of a stream that was left are not taken", async () => {
    const old = server.on;
    old.lost();
    await settle(600);
    old.snapshot(columns([5], [666]));
    expect(store.cell(5).known).toBe(false);
  });
});

describe("the link", () => {
  it("is live by the beat, delayed by its lag, and takes the server's clock", () => {
    beat();
    expect(store.currentLink()).toMatchObject({ state: "live", lagMs: 300 });
    expect(store.now()).toBe(Date.now() + 5000);
    beat(12_000);
    expect(store.currentLink().state).toBe("delayed");
  });

  it("reconnects after two silent seconds, marks everything stale after ten, heals by itself", async () => {
    const heard: boolean[] = [];
    store.subscribe(5, ({ stale }) => heard.push(stale));
    server.on.snapshot(columns([5], [1]));
    beat();
    await settle(RECONNECTING_AFTER_MS);
    store.check();
    expect(store.currentLink().state).toBe("reconnecting");
    expect(store.shown(5).stale).toBe(false);
    await settle(OFFLINE_AFTER_MS - RECONNECTING_AFTER_MS);
    store.check();
    expect(store.currentLink().state).toBe("offline");
    expect(store.shown(5).stale).toBe(true);
    beat();
    expect(store.shown(5).stale).toBe(false);
    expect(heard).toEqual([false, true, false]);
  });

  it("waits longer after each refusal, and tells once it is connected again", async () => {
    const connected = vi.fn();
    store.onConnected(connected);
    beat();
    beat();
    expect(connected).toHaveBeenCalledTimes(1);
    server.refusing = true;
    server.on.lost();
    await settle(10_000);
    const tries = server.opened.length;
    expect(tries).toBeGreaterThan(3);
    expect(tries).toBeLessThan(8);
    server.refusing = false;
    await settle(10_000);
    beat();
    expect(connected).toHaveBeenCalledTimes(2);
    server.on.alarmsMissed();
    expect(connected).toHaveBeenCalledTimes(3);
  });

  it("sends nothing while stopped", async () => {
    store.stop();
    store.acquire([1]);
    await settle(5000);
    expect(server.changed).toEqual([]);
    expect(server.streams[0]?.closed).toBe(true);
  });
});
