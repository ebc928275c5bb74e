import { type KeyboardEvent, type PointerEvent, useEffect, useRef } from "react";
import { api } from "../api";
import { usePreferences } from "../preferences";
import { useResource } from "../resource";
import { palettes } from "../theme/tokens";
import { useWords } from "../words";
import { trendWords } from "../words/trend";
import type { TrendAnswer, TrendSeries } from "./columns";
import type { Picture } from "./picture";
import { type Zoom, panned, spanWords } from "./range";
import { live } from "../live";
import { DAY } from "./zone";

export const STRIP_HEIGHT = 40;
const BUCKETS = 400;
/** The lanes above tell that history does not answer; the strip only tries again. */
const AGAIN_MS = 10_000;

function paint(canvas: HTMLCanvasElement, series: TrendSeries | undefined, bucket_ms: number, whole: Zoom, colour: string): void {
  const ratio = devicePixelRatio;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  if (!pen || !series) return;
  const number = (cell: number | null) => cell !== null;
  const low = Math.min(...series.min.filter(number));
  const high = Math.max(...series.max.filter(number));
  const scaleX = (width * ratio) / (whole.end_ms - whole.start_ms);
  const room = (height - 6) * ratio;
  const y = (value: number) => 3 * ratio + (high > low ? ((high - value) / (high - low)) * room : room / 2);
  pen.fillStyle = colour;
  series.time.forEach((at, index) => {
    const [min, max] = [series.min[index] ?? null, series.max[index] ?? null];
    if (min === null || max === null) return;
    const top = y(max);
    pen.fillRect((at - whole.start_ms) * scaleX, top, Math.max(bucket_ms * scaleX, ratio), Math.max(y(min) - top, ratio));
  });
}

interface StripProps {
  tag: number;
  picture: Picture;
  /** Grows with each answer; only then is it known how far back history reaches. */
  round: number;
  left: number;
  width: number;
  onMove: (span: Zoom, done: boolean) => void;
}

/** The whole history of the first tag, with the shown part as a window that can be moved. */
export function Strip({ tag, picture, round, left, width, onMove }: StripProps) {
  const t = useWords(trendWords);
  const { mode, language } = usePreferences();
  const canvas = useRef<HTMLCanvasElement>(null);
  const brush = useRef<HTMLDivElement>(null);
  const grab = useRef<{ x: number; span: Zoom; moved: Zoom | null } | null>(null);
  const oldest = round > 0 ? picture.oldest_ms : null;
  const day = Math.floor((oldest ?? 0) / DAY);
  const found = useResource(oldest === null ? null : `${tag} ${day}`, async (signal) => {
    const whole = { start_ms: oldest ?? 0, end_ms: Math.max(live.now(), (oldest ?? 0) + 1) };
    const answer = await api.post<TrendAnswer>("/history/trend", { tags: [tag], ...whole, buckets: BUCKETS }, signal);
    return { whole, answer };
  });
  const { value, error, reload } = found;
  useEffect(() => {
    if (error === null) return;
    const again = setTimeout(reload, AGAIN_MS);
    return () => clearTimeout(again);
  }, [error, reload]);
  useEffect(() => {
    if (canvas.current && value) {
      paint(canvas.current, value.answer.series[0], value.answer.bucket_ms, value.whole, palettes[mode].third);
    }
  }, [value, mode, width]);
  useEffect(() => {
    const place = () => {
      if (!brush.current || !value) return;
      const { whole } = value;
      const scale = width / (whole.end_ms - whole.start_ms);
      const x = Math.max((picture.span.start_ms - whole.start_ms) * scale, 0);
      const size = Math.max((picture.span.end_ms - picture.span.start_ms) * scale, 6);
      brush.current.style.width = `${Math.min(size, width)}px`;
      brush.current.style.transform = `translateX(${Math.min(x, width - Math.min(size, width))}px)`;
    };
    place();
    return picture.subscribe(place);
  }, [picture, value, width]);
  if (!value) return <div className="ms-trend-strip" style={{ height: STRIP_HEIGHT }} />;
  const { whole } = value;
  const perPixel = (whole.end_ms - whole.start_ms) / Math.max(width, 1);
  const centred = (x: number): Zoom => {
    const length = picture.span.end_ms - picture.span.start_ms;
    const middle = whole.start_ms + x * perPixel;
    return panned({ start_ms: Math.round(middle - length / 2), end_ms: Math.round(middle + length / 2) }, 0, oldest, live.now());
  };
  const down = (event: PointerEvent<HTMLDivElement>) => {
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    event.currentTarget.setPointerCapture(event.pointerId);
    const onBrush = event.target === brush.current;
    const span = onBrush ? picture.span : centred(x);
    grab.current = { x, span, moved: onBrush ? null : span };
    if (!onBrush) onMove(span, false);
  };
  const move = (event: PointerEvent<HTMLDivElement>) => {
    if (!grab.current) return;
    const x = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const shift = Math.round((x - grab.current.x) * perPixel);
    const { start_ms, end_ms } = grab.current.span;
    const span = panned({ start_ms: start_ms + shift, end_ms: end_ms + shift }, 0, oldest, live.now());
    grab.current.moved = span;
    onMove(span, false);
  };
  const up = () => {
    if (grab.current?.moved) onMove(grab.current.moved, true);
    grab.current = null;
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    event.preventDefault();
    event.stopPropagation();
    onMove(panned(picture.span, event.key === "ArrowLeft" ? -0.5 : 0.5, oldest, live.now()), true);
  };
  return (
    <div className="ms-trend-strip" style={{ height: STRIP_HEIGHT }}>
      <div className="ms-trend-strip-area" style={{ insetInlineStart: left, width }} onPointerDown={down} onPointerMove={move} onPointerUp={up}>
        <canvas ref={canvas} aria-hidden="true" />
        <div
          ref={brush}
          className="ms-trend-brush"
          role="slider"
          tabIndex={0}
          aria-label={t("moveWindow")}
          aria-valuemin={whole.start_ms}
          aria-valuemax={whole.end_ms}
          aria-valuenow={Math.round(picture.span.start_ms)}
          onKeyDown={pressed}
        />
      </div>
      <span className="ms-trend-strip-name ms-caption ms-third" title={t("whole", { span: spanWords(whole.end_ms - whole.start_ms, language) })}>
        {spanWords(whole.end_ms - whole.start_ms, language)}
      </span>
    </div>
  );
}
