import { useResource } from "../resource";
import { useZone } from "../session";
import { api } from "../api";
import { useWords } from "../words";
import { formatNumber } from "../format/number";
import { PageState } from "./PageState";
import "./mini-trend.css";

const BUCKETS = 240;
const WIDTH = 480;
const HEIGHT = 96;
const PAD = 6;

export interface Span {
  start_ms: number;
  end_ms: number | null;
}

interface Series {
  time: number[];
  /** 1 where the newest sample of a bucket is good. */
  held: number[];
  min: (number | null)[];
  max: (number | null)[];
}

export interface MiniTrendProps {
  tag: number;
  start_ms: number;
  end_ms: number;
  /** Times to mark, such as those an alarm stood. */
  spans?: readonly Span[];
  /** Drawn dashed. */
  limit?: number | null;
  decimals: number | null;
  unit: string;
}

/** One path over the extremes of each bucket; after a bad sample, and where nothing came for four buckets, the line breaks. */
export function pathOf({ time, min, max, held }: Series, x: (ms: number) => number, y: (value: number) => number, gap_ms: number): string {
  let path = "";
  let before = Number.NEGATIVE_INFINITY;
  time.forEach((ms, place) => {
    const [low, high] = [min[place], max[place]];
    if (low === null || low === undefined || high === null || high === undefined) return;
    const holds = place > 0 && held[place - 1] !== 0;
    path += `${!holds || ms - before > gap_ms ? "M" : "L"}${x(ms).toFixed(1)} ${y(high).toFixed(1)}`;
    if (low !== high) path += `L${x(ms).toFixed(1)} ${y(low).toFixed(1)}`;
    before = ms;
  });
  return path;
}

/** A small picture of one tag: its course, a limit, and the times that matter. */
export function MiniTrend({ tag, start_ms, end_ms, spans = [], limit = null, decimals, unit }: MiniTrendProps) {
  const t = useWords();
  const zone = useZone();
  const trend = useResource(`${tag} ${start_ms} ${end_ms}`, (signal) =>
    api.post<{ bucket_ms: number; series: Series[] }>("/history/trend", { tags: [tag], start_ms, end_ms, buckets: BUCKETS }, signal),
  );
  return (
    <PageState state={trend} rows={3}>
      {({ bucket_ms, series }) => {
        const one = series[0];
        const told = [...(one?.min ?? []), ...(one?.max ?? []), limit].filter((value): value is number => value !== null);
        if (!one || told.length === 0) return <p className="ms-third">{t("noSamples")}</p>;
        const [low, high] = [Math.min(...told), Math.max(...told)];
        // A young tag would be a line at the right edge: what is shown begins with what there is.
        const oldest = one.time[0] ?? start_ms;
        const from_ms = oldest - start_ms > (end_ms - start_ms) / 2 ? oldest : start_ms;
        const x = (ms: number) => ((ms - from_ms) / (end_ms - from_ms)) * WIDTH;
        const y = (value: number) => HEIGHT - PAD - ((value - low) / (high - low || 1)) * (HEIGHT - 2 * PAD);
        const text = t("miniTrend", {
          from: zone.full(from_ms), to: zone.full(end_ms), low: formatNumber(low, decimals), high: formatNumber(high, decimals), unit,
        });
        return (
          <figure className="ms-mini-trend">
            <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={text}>
              {spans.map((span) => (
                <rect
                  key={span.start_ms}
                  className="ms-mini-mark"
                  x={Math.max(0, x(span.start_ms))}
                  width={Math.max(2, x(span.end_ms ?? end_ms) - Math.max(0, x(span.start_ms)))}
                  y={0}
                  height={HEIGHT}
                />
              ))}
              {limit === null ? null : <line className="ms-mini-limit" x1={0} x2={WIDTH} y1={y(limit)} y2={y(limit)} />}
              <path className="ms-mini-line" d={pathOf(one, x, y, 4 * bucket_ms)} />
            </svg>
            <figcaption className="ms-row ms-caption ms-third ms-num">
              <span className="ms-grow">{zone.full(from_ms)}</span>
              <span>
                {formatNumber(low, decimals)} - {formatNumber(high, decimals)} {unit}
              </span>
              <span className="ms-grow ms-end">{zone.full(end_ms)}</span>
            </figcaption>
          </figure>
        );
      }}
    </PageState>
  );
}
