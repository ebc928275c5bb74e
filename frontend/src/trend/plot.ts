/** One lane as a uPlot chart: bands, lines, limits, hatched bad quality, names at the line's end. */
import uPlot from "uplot";
import { alarmColours, fonts, type Mode, palettes, seriesColours } from "../theme/tokens";
import { handSign } from "../enter/samples";
import { formatNumber } from "../format/number";
import { live } from "../live";
import type { Tag } from "../types";
import { timeTicks, valueTicks } from "./axis";
import { type Line, extent, joined, scaleRange } from "./columns";
import { cut, hatch } from "./canvas";
import { COLOURS, type Lane, type Scale } from "./lanes";
import type { Picture } from "./picture";
import { drawStates, STATE_PADDING } from "./stateBands";
import type { Zone } from "./zone";

export const AXIS_WIDTH = 60;
export const NAME_WIDTH = 92;
export const TIME_AXIS_HEIGHT = 40;
const TICK_ROOM = 92;
const VALUE_ROOM = 34;
const BAND_ALPHA = "2E";
const FONT = `12px ${fonts.text}`;

export interface LaneOptions {
  lane: Lane;
  tags: ReadonlyMap<number, Tag>;
  slots: ReadonlyMap<number, number>;
  hidden: ReadonlySet<number>;
  picture: Picture;
  zone: Zone;
  mode: Mode;
  width: number;
  height: number;
  /** Only the lowest lane carries the time axis. */
  last: boolean;
  /** Whether any lane has a right axis: all plots keep the same edges. */
  right: boolean;
  names: boolean;
  words: (tag: Tag, value: number) => string | null;
}

export function colourOf(slot: number, mode: Mode): string {
  return seriesColours[mode][slot % COLOURS] ?? palettes[mode].text;
}

interface Drawn {
  tag: Tag;
  line: Line;
  compared: boolean;
  scale: Scale;
}

function shown(options: LaneOptions): Drawn[] {
  const { lane, tags, hidden, picture } = options;
  const drawn: Drawn[] = [];
  for (const number of lane.tags) {
    const tag = tags.get(number);
    const scale = lane.scales.find((each) => each.tags.includes(number));
    if (!tag || !scale || hidden.has(number)) continue;
    const empty: Line = { tag: number, bucket_ms: 1, time: [], value: [], min: [], max: [], gaps: [], bad: [] };
    drawn.push({ tag, scale, compared: false, line: picture.line(number) ?? empty });
    const before = picture.comparedLine(number);
    if (before) drawn.push({ tag, scale, compared: true, line: before });
  }
  return drawn;
}

/** The range of a scale; null where there is nothing to scale, and an axis would only pretend. */
function valueRange(options: LaneOptions, drawn: readonly Drawn[], scale: Scale): [number, number] | null {
  const { start_ms, end_ms } = options.picture.span;
  const own = drawn.filter((each) => each.scale === scale);
  const limits = own.flatMap(({ tag }) => limitsOf(tag).map(({ limit }) => limit));
  const found = extent(own.map(({ line }) => line), start_ms, end_ms);
  return found ? scaleRange(found, limits) : null;
}

function limitsOf(tag: Tag): Tag["alarms"] {
  return tag.alarms.filter(({ condition }) => condition !== "stale");
}

function axisText(options: LaneOptions, scale: Scale): string {
  const units = new Set(scale.tags.map((number) => options.tags.get(number)?.unit_sign ?? ""));
  return [...units].filter(Boolean).join(", ");
}

function valueAxis(options: LaneOptions, scale: Scale, side: 1 | 3): uPlot.Axis {
  const palette = palettes[options.mode];
  const [only] = scale.tags;
  const tag = scale.key.startsWith("state-") && only !== undefined ? options.tags.get(only) : undefined;
  return {
    scale: scale.key,
    side,
    size: AXIS_WIDTH,
    gap: 4,
    font: FONT,
    stroke: palette.third,
    grid: { show: side === 3, stroke: palette.divider, width: 1 },
    ticks: { show: false },
    splits: (plot) => {
      if (!valueRange(options, shown(options), scale)) return [];
      const { min = 0, max = 1 } = plot.scales[scale.key] ?? {};
      const ticks = valueTicks(min, max, Math.max(2, plot.bbox.height / devicePixelRatio / VALUE_ROOM));
      return tag ? ticks.filter(Number.isInteger) : ticks;
    },
    values: (_, splits) => {
      const step = Math.abs((splits[1] ?? 0) - (splits[0] ?? 0));
      const decimals = step > 0 && step < 1e4 && step >= 1e-6 ? Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)) : null;
      return splits.map((value) => (tag && options.words(tag, value)) ?? formatNumber(value, decimals === 0 && step % 1 ? 1 : decimals));
    },
  };
}

function timeAxis(options: LaneOptions): uPlot.Axis {
  const palette = palettes[options.mode];
  return {
    scale: "x",
    side: 2,
    show: true,
    size: options.last ? TIME_AXIS_HEIGHT : 0,
    gap: 4,
    font: FONT,
    stroke: palette.third,
    grid: { stroke: palette.divider, width: 1 },
    ticks: { show: false },
    splits: (plot) => ticksOf(options, plot).map(({ at_ms }) => at_ms),
    values: (plot) => (options.last ? ticksOf(options, plot).map(({ label }) => label) : []),
  };
}

function ticksOf(options: LaneOptions, plot: uPlot): ReturnType<typeof timeTicks> {
  const { min, max } = plot.scales.x ?? {};
  if (min === undefined || max === undefined || min === null || max === null || max <= min) return [];
  return timeTicks(min, max, Math.max(2, plot.bbox.width / devicePixelRatio / TICK_ROOM), options.zone);
}

function seriesFor({ tag, compared, scale }: Drawn, options: LaneOptions): uPlot.Series[] {
  const slot = options.slots.get(tag.tag) ?? 0;
  const stroke = colourOf(slot, options.mode);
  if (options.lane.states) return [{ scale: scale.key, show: false }, { scale: scale.key, show: false }, { scale: scale.key, show: false }];
  const stepped = options.picture.paceOf(tag.tag).discrete;
  const paths = stepped ? uPlot.paths.stepped?.({ align: 1 }) : uPlot.paths.linear?.();
  const dash = compared ? [2, 4] : slot >= COLOURS ? [8, 4] : undefined;
  const edge: uPlot.Series = { scale: scale.key, points: { show: false }, ...(paths && { paths }) };
  return [
    {
      scale: scale.key,
      stroke,
      width: compared ? 1 : 1.5,
      points: { show: (plot, _, first, last) => last - first < plot.bbox.width / devicePixelRatio / 16, size: 4 },
      ...(dash && { dash }),
      ...(paths && { paths }),
    },
    edge,
    edge,
  ];
}

/** Where quality was bad, and where nothing came, the lane is hatched, behind the lines. */
function drawUnknown(plot: uPlot, options: LaneOptions): void {
  const { ctx, bbox } = plot;
  const drawn = shown(options).filter(({ line, compared }) => !compared && line.bad.length + line.gaps.length > 0);
  const pattern = drawn.length > 0 ? hatch(ctx, palettes[options.mode].border) : null;
  if (!pattern) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.fillStyle = pattern;
  for (const { line } of drawn) {
    for (const { start_ms, end_ms } of [...line.bad, ...line.gaps]) {
      const from = plot.valToPos(start_ms, "x", true);
      const until = Math.max(plot.valToPos(Math.min(end_ms, live.now()), "x", true), from + devicePixelRatio);
      if (until >= bbox.left && from <= bbox.left + bbox.width) ctx.fillRect(from, bbox.top, until - from, bbox.height);
    }
  }
  ctx.restore();
}

const LABEL_ROOM = 13;
const SIGN_ROOM = 14;

function drawLimits(plot: uPlot, options: LaneOptions): void {
  const { ctx, bbox } = plot;
  const palette = palettes[options.mode];
  const [scale, another] = options.lane.scales;
  // Where lines have scales of their own nobody could tell whose limit a line is.
  if (!scale || another || !valueRange(options, shown(options), scale)) return;
  const limits = new Map(shown(options).flatMap(({ tag }) => limitsOf(tag).map(({ limit, condition }) => [`${Number(limit.toPrecision(6))} ${condition}`, limit] as const)));
  const room = LABEL_ROOM * devicePixelRatio;
  const labels: number[] = [];
  const isFree = (y: number) => y > bbox.top + room && labels.every((other) => Math.abs(other - y) >= room);
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px ${fonts.text}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  ctx.lineWidth = devicePixelRatio;
  ctx.strokeStyle = palette.second;
  ctx.fillStyle = palette.second;
  ctx.setLineDash([5 * devicePixelRatio, 4 * devicePixelRatio]);
  // From the top down each label finds its place above its line, or else below.
  for (const [label, limit] of [...limits].sort(([, left], [, right]) => right - left)) {
    const y = Math.round(plot.valToPos(limit, scale.key, true)) + 0.5;
    if (y < bbox.top || y > bbox.top + bbox.height) continue;
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    const place = [y - 1, y + room].find(isFree);
    if (place === undefined) continue;
    labels.push(place);
    ctx.fillText(label, bbox.left + 4 * devicePixelRatio, place);
  }
  ctx.restore();
}

/** Samples that people entered or corrected carry their sign above the line; those that would cover each other have one. */
function drawSigns(plot: uPlot, options: LaneOptions): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px ${fonts.text}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "bottom";
  for (const { tag, line, scale, compared } of shown(options)) {
    const marks = options.picture.seriesOf(tag.tag)?.marks;
    if (compared || !marks) continue;
    ctx.fillStyle = colourOf(options.slots.get(tag.tag) ?? 0, options.mode);
    let taken = -Infinity;
    marks.forEach((mark, index) => {
      const sign = handSign(mark);
      const [at, value] = [line.time[index], line.value[index] ?? null];
      if (sign === "" || at === undefined || value === null) return;
      const x = plot.valToPos(at, "x", true);
      if (x < Math.max(bbox.left, taken) || x > bbox.left + bbox.width) return;
      taken = x + SIGN_ROOM * devicePixelRatio;
      const y = Math.max(plot.valToPos(value, scale.key, true) - 4 * devicePixelRatio, bbox.top + SIGN_ROOM * devicePixelRatio);
      ctx.fillText(sign, x, y);
    });
  }
  ctx.restore();
}

/** Where names begin, in px from the right edge of what is drawn. */
const nameLeft = ({ right }: LaneOptions) => (right ? AXIS_WIDTH + 4 : 6);

/** The name stands at the line's right end, moved apart where two would cover each other. */
function drawNames(plot: uPlot, options: LaneOptions): void {
  const { ctx, bbox } = plot;
  const row = 14 * devicePixelRatio;
  const labels: { y: number; text: string; colour: string }[] = [];
  for (const { tag, line, scale, compared } of shown(options)) {
    if (compared) continue;
    const newest = line.value.findLast((value) => value !== null);
    if (newest === undefined || newest === null) continue;
    const y = plot.valToPos(newest, scale.key, true);
    if (!Number.isFinite(y)) continue;
    labels.push({ y, text: tag.name, colour: colourOf(options.slots.get(tag.tag) ?? 0, options.mode) });
  }
  labels.sort((left, right) => left.y - right.y);
  const [top, bottom] = [bbox.top + row / 2, bbox.top + bbox.height - row / 2];
  let floor = top;
  for (const label of labels) {
    label.y = Math.max(label.y, floor);
    floor = label.y + row;
  }
  let ceiling = bottom;
  for (const label of [...labels].reverse()) {
    label.y = Math.min(label.y, ceiling);
    ceiling = label.y - row;
  }
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px ${fonts.text}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  const left = bbox.left + bbox.width + nameLeft(options) * devicePixelRatio;
  for (const { y, text, colour } of labels) {
    if (y < top - 1) continue;
    ctx.fillStyle = colour;
    ctx.fillText(cut(ctx, text, (NAME_WIDTH - 10) * devicePixelRatio), left, y);
  }
  ctx.restore();
}

/** The unit stands above its axis, never inside the numbers. */
function drawUnits(plot: uPlot, options: LaneOptions): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px ${fonts.text}`;
  ctx.fillStyle = palettes[options.mode].third;
  ctx.textBaseline = "bottom";
  for (const scale of options.lane.scales) {
    const text = axisText(options, scale);
    if (scale.side === "own" || scale.side === "band" || text === "") continue;
    const left = scale.side === "left";
    ctx.textAlign = left ? "right" : "left";
    const x = left ? bbox.left - 4 * devicePixelRatio : bbox.left + bbox.width + 4 * devicePixelRatio;
    ctx.fillText(text, x, bbox.top - 7 * devicePixelRatio);
  }
  ctx.restore();
}

export const LANE_PADDING_TOP = 22;

/** The space between the chart's edge and its drawing area, the same in every lane. */
export function edges(right: boolean, names: boolean): { left: number; right: number } {
  return { left: AXIS_WIDTH, right: (right ? AXIS_WIDTH : 0) + (names ? NAME_WIDTH : 8) };
}

export class LanePlot {
  private readonly plot: uPlot;
  private readonly options: LaneOptions;

  constructor(root: HTMLElement, options: LaneOptions) {
    this.options = options;
    const { lane, right, names, last } = options;
    const drawn = shown(options);
    const scales: uPlot.Scales = { x: { time: false, auto: false } };
    for (const scale of lane.scales) scales[scale.key] = { auto: false };
    const left = lane.scales.find(({ side }) => side === "left");
    const other = lane.scales.find(({ side }) => side === "right");
    const axes: uPlot.Axis[] = [timeAxis(options)];
    if (left) axes.push(valueAxis(options, left, 3));
    if (other) axes.push(valueAxis(options, other, 1));
    const rightPadding = (names ? NAME_WIDTH : 8) + (right && !other ? AXIS_WIDTH : 0);
    this.plot = new uPlot(
      {
        width: options.width,
        height: options.height,
        ms: 1,
        pxAlign: false,
        padding: lane.states ? [STATE_PADDING, rightPadding, last ? 0 : STATE_PADDING, AXIS_WIDTH] : [LANE_PADDING_TOP, rightPadding, last ? 0 : 4, 0],
        scales,
        axes,
        legend: { show: false },
        cursor: { show: false },
        select: { show: false, left: 0, top: 0, width: 0, height: 0 },
        series: [{}, ...drawn.flatMap((each) => seriesFor(each, options))],
        bands: drawn.flatMap(({ compared, tag }, index) =>
          compared || lane.states ? [] : [{ series: [index * 3 + 2, index * 3 + 3] as [number, number], fill: colourOf(options.slots.get(tag.tag) ?? 0, options.mode) + BAND_ALPHA }],
        ),
        hooks: lane.states ? { draw: [(plot) => drawStates(plot, options, { left: nameLeft(options), room: NAME_WIDTH - 10 })] } : this.linesDrawn(),
      },
      this.columns(drawn),
      root,
    );
    this.redraw();
  }

  /** What lines have around them. */
  private linesDrawn(): uPlot.Hooks.Arrays {
    const { options } = this;
    return {
      drawClear: [(plot) => drawUnknown(plot, options)],
      draw: [
        (plot) => {
          drawLimits(plot, options);
          drawUnits(plot, options);
          drawSigns(plot, options);
          if (options.names) drawNames(plot, options);
        },
      ],
    };
  }

  private columns(drawn: readonly Drawn[]): uPlot.AlignedData {
    return joined(drawn.map(({ line }) => line)) as uPlot.AlignedData;
  }

  redraw(): void {
    const { plot, options } = this;
    const drawn = shown(options);
    plot.batch(() => {
      plot.setData(this.columns(drawn), false);
      plot.setScale("x", { min: options.picture.span.start_ms, max: options.picture.span.end_ms });
      for (const scale of options.lane.scales) {
        const [min, max] = valueRange(options, drawn, scale) ?? [0, 1];
        plot.setScale(scale.key, { min, max });
      }
    });
  }

  destroy(): void {
    this.plot.destroy();
  }
}

/** The fill of an alarm's bar. */
export function alarmFill(priority: keyof (typeof alarmColours)["light"], mode: Mode): string {
  return alarmColours[mode][priority].fill;
}
