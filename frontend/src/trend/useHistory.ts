/** Reads history into the picture: when the span settles, when tags change, and now and then while live. */
import { useCallback, useEffect, useRef, useState } from "react";
import { api } from "../api";
import { live, useLiveSet } from "../live";
import type { Tag } from "../types";
import { gapAfter, type TrendAnswer } from "./columns";
import { discrete, drawable } from "./lanes";
import { paceOf, type Picture } from "./picture";
import { type Range, type Zoom, resolve } from "./range";
import { MINUTE, type Zone } from "./zone";

const SETTLE_MS = 120;
const AGAIN_MIN_MS = 30_000;
const DRAW_MIN_MS = 250;
const DRAW_MAX_MS = 2_000;
/** Sliding by less than about a pixel shows nothing new. */
const STEPS_PER_WIDTH = 800;
const BUCKETS_MAX = 2_000;
const BUCKETS_MIN = 100;

export interface Reading {
  loading: boolean;
  error: unknown;
  /** Grows with each answer. */
  round: number;
  reload: () => void;
}

const LEAD_MAX_MS = 600_000;

/** How far before the picture to read: a state that holds at its edge was told up to that long before. */
export function leadOf(tags: readonly Pick<Tag, "kind" | "scan_ms" | "silence_max_ms" | "connection">[], length_ms: number): number {
  const silences = tags.filter(({ kind }) => discrete(kind)).map((tag) => gapAfter(paceOf(tag), 0));
  // In whole minutes: a range that grows is not read again for each second it grew.
  return Math.min(Math.max(0, ...silences), Math.max(LEAD_MAX_MS, Math.ceil(length_ms / 4 / MINUTE) * MINUTE));
}

function ask(tags: readonly number[], span: Zoom, buckets: number, lead_ms: number, signal: AbortSignal): Promise<TrendAnswer> {
  const start_ms = Math.max(0, Math.round(span.start_ms - lead_ms));
  const end_ms = Math.max(Math.round(span.end_ms), start_ms + 1);
  // As many more buckets as it reads more, so that they stay as narrow.
  const more = Math.ceil((buckets * (end_ms - start_ms)) / Math.max(span.end_ms - span.start_ms, 1));
  return api.post("/history/trend", { tags, start_ms, end_ms, buckets: Math.min(more, BUCKETS_MAX) }, signal);
}

/** Load what the span shows; the old picture stays until the answer is here. */
export function useHistory(
  picture: Picture,
  tags: readonly Tag[],
  span: Zoom,
  isLive: boolean,
  compare_ms: number,
  width: number,
): Reading {
  const [state, setState] = useState<{ loading: boolean; error: unknown; round: number }>({ loading: true, error: null, round: 0 });
  const [again, setAgain] = useState(0);
  const numbers = tags.filter(({ kind }) => drawable(kind)).map(({ tag }) => tag);
  const key = numbers.join();
  const buckets = Math.min(Math.max(Math.round(width), BUCKETS_MIN), BUCKETS_MAX);
  const length = span.end_ms - span.start_ms;
  const lead = leadOf(tags, length);
  // While live the span slides by itself and is read again on a timer, not on every step.
  const place = isLive ? `live ${Math.round(length / 1000)}` : `${span.start_ms} ${span.end_ms}`;
  const latest = useRef(span);
  useEffect(() => {
    latest.current = span;
  });
  useEffect(() => {
    picture.knowTags(tags);
  }, [picture, tags]);
  const first = useRef(true);
  useEffect(() => {
    if (key === "" || width === 0) return;
    const abort = new AbortController();
    const chosen = key.split(",").map(Number);
    const load = () => {
      const wanted = latest.current;
      setState((before) => ({ ...before, loading: true }));
      const before = { start_ms: wanted.start_ms - compare_ms, end_ms: wanted.end_ms - compare_ms };
      Promise.all([
        ask(chosen, wanted, buckets, lead, abort.signal),
        compare_ms > 0 ? ask(chosen, before, buckets, lead, abort.signal) : null,
      ]).then(
        ([answer, compared]) => {
          if (abort.signal.aborted) return;
          picture.take(answer, compared, compare_ms);
          setState(({ round }) => ({ loading: false, error: null, round: round + 1 }));
        },
        (error: unknown) => {
          if (!abort.signal.aborted) setState((kept) => ({ ...kept, loading: false, error }));
        },
      );
    };
    const timer = setTimeout(load, first.current ? 0 : SETTLE_MS);
    first.current = false;
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [picture, key, place, buckets, lead, compare_ms, again, width]);
  const reload = useCallback(() => setAgain((count) => count + 1), []);
  useEffect(() => {
    if (!isLive) return;
    // The feed sends a tag at most four times a second: history is the truth and replaces it now and then.
    const timer = setInterval(reload, Math.max(AGAIN_MIN_MS, (length / buckets) * 20));
    const stop = live.onConnected(reload);
    return () => {
      clearInterval(timer);
      stop();
    };
  }, [isLive, length, buckets, reload]);
  // Texts and tags that are gone are not read here: nothing is under way then.
  return { ...state, loading: state.loading && key !== "", reload };
}

/** Slide with the clock and append what the feed sends. */
export function useLivePicture(picture: Picture, tags: readonly Tag[], range: Range, zone: Zone, isLive: boolean): void {
  const numbers = tags.map(({ tag }) => tag);
  useLiveSet(numbers);
  const key = tags.filter(({ kind }) => drawable(kind)).map(({ tag }) => tag).join();
  useEffect(() => {
    if (!isLive) return;
    const chosen = key === "" ? [] : key.split(",").map(Number);
    let drawn = 0;
    let changed = false;
    const stops = chosen.map((tag) =>
      live.subscribe(tag, (cell) => {
        changed = picture.append(tag, cell) || changed;
      }),
    );
    const step = () => {
      const now = live.now();
      const { start_ms, end_ms } = resolve(range, now, zone);
      const pause = Math.min(Math.max((end_ms - start_ms) / STEPS_PER_WIDTH, DRAW_MIN_MS), DRAW_MAX_MS);
      if (now - drawn < pause && now >= drawn) return;
      drawn = now;
      if (changed && picture.span.end_ms === end_ms) picture.redraw();
      changed = false;
      picture.show({ start_ms, end_ms });
    };
    step();
    const timer = setInterval(step, DRAW_MIN_MS);
    return () => {
      clearInterval(timer);
      for (const stop of stops) stop();
    };
  }, [picture, key, range, zone, isLive]);
}
