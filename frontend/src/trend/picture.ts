/** What the charts draw: series of history with live values appended, outside React. */
import type { Cell as LiveCell } from "../live";
import type { Tag } from "../types";
import { type Line, type Pace, type Summary, type TrendAnswer, type TrendSeries, appendLive, dropBefore, lineOf, summary } from "./columns";
import type { Sample } from "../enter/samples";
import { discrete } from "./lanes";
import { type TextSpan, spansOf, textAt } from "./texts";
import type { Zoom } from "./range";

/** How a tag's samples follow each other. */
export function paceOf(tag: Pick<Tag, "kind" | "scan_ms" | "silence_max_ms" | "connection">): Pace {
  // What people enter has no rhythm, and no gaps.
  const silence_max_ms = tag.connection === null ? Infinity : tag.silence_max_ms;
  return { discrete: discrete(tag.kind), scan_ms: tag.scan_ms, silence_max_ms };
}

const copy = (series: TrendSeries): TrendSeries => ({
  tag: series.tag,
  time: [...series.time],
  first: [...series.first],
  min: [...series.min],
  max: [...series.max],
  last: [...series.last],
  mean: [...series.mean],
  good: [...series.good],
  bad: [...series.bad],
  held: [...series.held],
  marks: [...(series.marks ?? [])],
});

/** The states of a comparison, moved to where they are compared with. */
export interface ComparedStates {
  series: TrendSeries;
  bucket_ms: number;
}

export class Picture {
  span: Zoom;
  bucket_ms = 1000;
  oldest_ms: number | null = null;
  took_ms = 0;
  loaded = false;
  private readonly series = new Map<number, TrendSeries>();
  private readonly compared = new Map<number, Line>();
  private readonly comparedStates = new Map<number, ComparedStates>();
  private readonly texts = new Map<number, readonly TextSpan[]>();
  private readonly lines = new Map<number, Line>();
  private readonly summaries = new Map<number, { key: string; summary: Summary }>();
  private changes = 0;
  private readonly paces = new Map<number, Pace>();
  private readonly listeners = new Set<() => void>();

  constructor(span: Zoom) {
    this.span = span;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  redraw(): void {
    for (const listener of this.listeners) listener();
  }

  knowTags(tags: readonly Tag[]): void {
    for (const tag of tags) this.paces.set(tag.tag, paceOf(tag));
    this.lines.clear();
  }

  /** Show another span; what is loaded stays and stretches. */
  show(span: Zoom): void {
    if (span.start_ms === this.span.start_ms && span.end_ms === this.span.end_ms) return;
    this.span = span;
    this.redraw();
  }

  take(answer: TrendAnswer, compared: TrendAnswer | null, shift_ms: number): void {
    this.bucket_ms = answer.bucket_ms;
    this.oldest_ms = answer.oldest_ms;
    this.took_ms = answer.took_ms;
    this.loaded = true;
    this.changes += 1;
    this.series.clear();
    this.lines.clear();
    this.compared.clear();
    this.comparedStates.clear();
    for (const series of answer.series) {
      const own = copy(series);
      // More was read than is shown: one bucket before the edge says what held there.
      dropBefore(own, this.span.start_ms);
      this.series.set(series.tag, own);
    }
    for (const series of compared?.series ?? []) {
      const pace = this.paces.get(series.tag);
      if (!pace || !compared) continue;
      const time = series.time.map((at) => at + shift_ms);
      this.compared.set(series.tag, lineOf({ ...series, time }, compared.bucket_ms, pace));
      if (pace.discrete) this.comparedStates.set(series.tag, { series: { ...series, time }, bucket_ms: compared.bucket_ms });
    }
    this.redraw();
  }

  /** Take in a live value; true when the picture changed. */
  append(tag: number, cell: LiveCell): boolean {
    const series = this.series.get(tag);
    if (!this.loaded || !cell.known || cell.stale || typeof cell.value === "string") return false;
    if (!series) {
      if (cell.time < this.span.start_ms) return false;
      this.series.set(tag, { tag, time: [], first: [], min: [], max: [], last: [], mean: [], good: [], bad: [], held: [], marks: [] });
      return this.append(tag, cell);
    }
    if (!appendLive(series, this.bucket_ms, cell.time, cell.value ?? NaN, cell.quality, cell.origin)) return false;
    this.changes += 1;
    dropBefore(series, this.span.start_ms);
    this.lines.delete(tag);
    return true;
  }

  /** Keep what was said, for the figures at the pointer. */
  takeTexts(tag: number, samples: readonly Sample[]): void {
    this.texts.set(tag, spansOf(samples, true, this.span.end_ms));
  }

  textAt(tag: number, at_ms: number): string | null {
    return textAt(this.texts.get(tag) ?? [], at_ms);
  }

  /** When the oldest of what is loaded of some tags was; the start of time where nothing is. */
  firstOf(tags: readonly Tag[]): number {
    const times = tags.map(({ tag }) => this.series.get(tag)?.time[0]).filter((at) => at !== undefined);
    return times.length > 0 ? Math.min(...times) : -Infinity;
  }

  seriesOf(tag: number): TrendSeries | undefined {
    return this.series.get(tag);
  }

  paceOf(tag: number): Pace {
    return this.paces.get(tag) ?? { discrete: false, scan_ms: 1000, silence_max_ms: 60_000 };
  }

  line(tag: number): Line | undefined {
    const series = this.series.get(tag);
    if (!series) return undefined;
    let line = this.lines.get(tag);
    if (!line) this.lines.set(tag, (line = lineOf(series, this.bucket_ms, this.paceOf(tag))));
    return line;
  }

  /** Figures of the shown span, counted once however often they are read while the pointer moves. */
  summaryOf(tag: number): Summary | undefined {
    const series = this.series.get(tag);
    if (!series) return undefined;
    const { start_ms, end_ms } = this.span;
    const key = `${start_ms} ${end_ms} ${this.changes}`;
    const kept = this.summaries.get(tag);
    if (kept?.key === key) return kept.summary;
    const counted = summary(series, start_ms, end_ms, this.bucket_ms);
    this.summaries.set(tag, { key, summary: counted });
    return counted;
  }

  /** Changes when lines come or go, not when they grow. */
  shape(): string {
    return [...this.compared.keys()].join();
  }

  comparedLine(tag: number): Line | undefined {
    return this.compared.get(tag);
  }

  comparedSeries(tag: number): ComparedStates | undefined {
    return this.comparedStates.get(tag);
  }
}

/** Where the pointer and both cursors stand; readers write their own text. */
export class Cursors {
  hover: number | null = null;
  a: number | null;
  b: number | null;
  private readonly listeners = new Set<() => void>();

  constructor(a: number | null, b: number | null) {
    this.a = a;
    this.b = b;
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  point(at_ms: number | null): void {
    if (this.hover === at_ms) return;
    this.hover = at_ms;
    this.tell();
  }

  place(a: number | null, b: number | null): void {
    this.a = a;
    this.b = b;
    this.tell();
  }

  /** A first click sets A, a second B, each further one moves the nearer. */
  click(at_ms: number): void {
    if (this.a === null) this.place(at_ms, this.b);
    else if (this.b === null || Math.abs(at_ms - this.b) < Math.abs(at_ms - this.a)) this.place(this.a, at_ms);
    else this.place(at_ms, this.b);
  }

  private tell(): void {
    for (const listener of this.listeners) listener();
  }
}
