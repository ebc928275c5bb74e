/** States drawn as bands: a fill, a pattern and a word, one row a tag. */
import type uPlot from "uplot";
import { live } from "../live";
import { fonts, type Mode, palettes } from "../theme/tokens";
import type { Tag } from "../types";
import { cut, hatch, hatched, tiled } from "./canvas";
import { type Pattern, type StateLook, stateLook, type StateSpan, stateSpans } from "./states";
import type { Stretch } from "./columns";
import type { LaneOptions } from "./plot";

export const STATE_ROW = 28;
export const STATE_PADDING = 6;
const BAND = 20;
const COMPARED = 5;
const LEAST_WORD = 14;
const NAME_ROOM = 52;

const DRAWN: Record<Exclude<Pattern, "plain" | "empty">, (pen: CanvasRenderingContext2D, size: number) => void> = {
  hatch: hatched,
  dots: (pen, size) => pen.fillRect(size / 3, size / 3, size / 3, size / 3),
  vertical: (pen, size) => {
    pen.moveTo(size / 2, 0);
    pen.lineTo(size / 2, size);
  },
  horizontal: (pen, size) => {
    pen.moveTo(0, size / 2);
    pen.lineTo(size, size / 2);
  },
  cross: (pen, size) => {
    hatched(pen, size);
    pen.moveTo(0, 0);
    pen.lineTo(size, size);
  },
};

/** Fill a box as a state looks. */
export function paintState(context: CanvasRenderingContext2D, look: StateLook, mode: Mode, [x, y, width, height]: readonly [number, number, number, number]): void {
  const palette = palettes[mode];
  context.fillStyle = look.fill;
  context.fillRect(x, y, width, height);
  if (look.pattern !== "plain" && look.pattern !== "empty") {
    const ink = look.fill === palette.container ? palette.second : palette.container;
    context.fillStyle = tiled(context, ink, DRAWN[look.pattern]) ?? look.fill;
    context.fillRect(x, y, width, height);
  }
  // Neighbours of like brightness and the empty one have an edge.
  const line = devicePixelRatio;
  context.strokeStyle = palette.third;
  context.lineWidth = line;
  if (width > 3 * line) context.strokeRect(x + line / 2, y + line / 2, width - line, height - line);
}

/** Where names stand, in px from the right edge of what is drawn. */
export interface NamePlace {
  left: number;
  room: number;
}

interface Row {
  plot: uPlot;
  options: LaneOptions;
  tag: Tag;
  /** Top of the row's band on the canvas. */
  top: number;
}

/** The part of a stretch that is in sight, on the canvas; null where none is. */
function inSight({ bbox, valToPos }: uPlot, { start_ms, end_ms }: Stretch): [number, number] | null {
  const from = Math.max(valToPos(start_ms, "x", true), bbox.left);
  const until = Math.min(valToPos(end_ms, "x", true), bbox.left + bbox.width);
  return until < bbox.left || from > bbox.left + bbox.width ? null : [from, Math.max(until - from, devicePixelRatio)];
}

/** The word of a state inside its band, on a plate that any fill can be read behind; its letter where there is no room. */
function drawWord({ plot: { ctx }, options, tag, top }: Row, value: number, look: StateLook, x: number, width: number): void {
  const ratio = devicePixelRatio;
  const text = options.words(tag, value) ?? String(value);
  const [whole, letter] = [ctx.measureText(text).width, ctx.measureText(look.sign).width];
  const shown = whole + 12 * ratio <= width ? text : look.sign !== "" && width >= LEAST_WORD * ratio ? look.sign : "";
  if (shown === "") return;
  const wide = shown === text ? whole : letter;
  const left = shown === text ? x + 4 * ratio : x + (width - wide) / 2 - 2 * ratio;
  ctx.fillStyle = palettes[options.mode].container;
  ctx.fillRect(left, top + 3 * ratio, wide + 4 * ratio, (BAND - 6) * ratio);
  ctx.fillStyle = palettes[options.mode].text;
  ctx.fillText(shown, left + 2 * ratio, top + (BAND / 2) * ratio);
}

function drawSpans(row: Row, spans: readonly StateSpan[], height: number, offset: number): void {
  const { plot, options, tag, top } = row;
  const ratio = devicePixelRatio;
  for (const span of spans) {
    const seen = inSight(plot, span);
    if (!seen) continue;
    const look = stateLook(tag, span.value, options.mode);
    paintState(plot.ctx, look, options.mode, [seen[0], top + offset * ratio, seen[1], height * ratio]);
    if (height === BAND && span.value !== null) drawWord(row, span.value, look, ...seen);
  }
}

/** Where nothing is known the row is hatched, as lanes of lines are. */
function drawUnknownOf({ plot, options, tag, top }: Row): void {
  const line = options.picture.line(tag.tag);
  const pattern = line ? hatch(plot.ctx, palettes[options.mode].border) : null;
  if (!line || !pattern) return;
  plot.ctx.fillStyle = pattern;
  for (const { start_ms, end_ms } of [...line.gaps, ...line.bad]) {
    const seen = inSight(plot, { start_ms, end_ms: Math.min(end_ms, live.now()) });
    if (seen) plot.ctx.fillRect(seen[0], top, seen[1], BAND * devicePixelRatio);
  }
}

function drawName({ plot: { ctx, bbox }, options, tag, top }: Row, place: NamePlace): void {
  const ratio = devicePixelRatio;
  const y = top + (BAND / 2) * ratio;
  ctx.fillStyle = palettes[options.mode].second;
  if (options.names) ctx.fillText(cut(ctx, tag.name, place.room * ratio), bbox.left + bbox.width + place.left * ratio, y);
  else ctx.fillText(cut(ctx, tag.name, NAME_ROOM * ratio), bbox.left - (NAME_ROOM + 4) * ratio, y);
}

/** All tags of a lane of states; a hidden one keeps its empty row, so that nothing moves. */
export function drawStates(plot: uPlot, options: LaneOptions, place: NamePlace): void {
  const { ctx, bbox } = plot;
  const { lane, tags, hidden, picture } = options;
  const until = Math.min(picture.span.end_ms, Math.max(live.now(), picture.span.start_ms));
  ctx.save();
  ctx.font = `${12 * devicePixelRatio}px ${fonts.text}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  lane.tags.forEach((number, index) => {
    const tag = tags.get(number);
    if (!tag || hidden.has(number)) return;
    const row: Row = { plot, options, tag, top: bbox.top + (index * STATE_ROW + (STATE_ROW - BAND) / 2) * devicePixelRatio };
    drawUnknownOf(row);
    const series = picture.seriesOf(number);
    const compared = picture.comparedSeries(number);
    if (series) drawSpans(row, stateSpans(series, picture.bucket_ms, picture.paceOf(number), until), BAND, 0);
    // What is compared lies below as a narrow band.
    if (compared) drawSpans(row, stateSpans(compared.series, compared.bucket_ms, picture.paceOf(number), picture.span.end_ms), COMPARED, BAND + 1);
    drawName(row, place);
  });
  ctx.restore();
}
