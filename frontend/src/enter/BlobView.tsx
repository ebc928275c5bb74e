import { useEffect, useLayoutEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { Button } from "antd";
import { ApiError, api, download, urlOf } from "../api";
import { Failure, Loading } from "../components/PageState";
import { type BlobReference, WAVEFORM, blobOf, numbersOf, sizeText } from "../components/value-text";
import { useFailed } from "../failed";
import { formatNumber } from "../format/number";
import { usePreferences } from "../preferences";
import { useResource } from "../resource";
import { fonts, palettes, seriesColours } from "../theme/tokens";
import { useWords } from "../words";
import { enterWords } from "../words/enter";
import "./enter.css";

interface Wave {
  count: number;
  sample_rate_hz: number;
  unit: string;
  bucket: number;
  min: (number | null)[];
  max: (number | null)[];
}

const HEIGHT = 240;
const BUCKETS = 1000;

/** Two places a bucket, its least and its greatest: the line fills what one pixel cannot show. */
function columns({ min, max, bucket, sample_rate_hz }: Wave): uPlot.AlignedData {
  const step = sample_rate_hz > 0 ? 1 / sample_rate_hz : 1;
  if (bucket === 1) return [max.map((_, index) => index * step), max];
  const x: number[] = [];
  const y: (number | null)[] = [];
  max.forEach((most, index) => {
    x.push(index * bucket * step, (index + 0.5) * bucket * step);
    y.push(min[index] ?? null, most);
  });
  return [x, y];
}

function Plot({ wave, label }: { wave: Wave; label: string }) {
  const t = useWords(enterWords);
  const root = useRef<HTMLDivElement>(null);
  const { mode } = usePreferences();
  const xName = wave.sample_rate_hz > 0 ? `${t("time")} (s)` : t("sampleNumber");
  const yName = wave.unit === "1" || wave.unit === "" ? t("amplitude") : `${t("amplitude")} (${wave.unit})`;
  useLayoutEffect(() => {
    const node = root.current;
    if (!node) return;
    const palette = palettes[mode];
    const axis = { stroke: palette.third, font: `12px ${fonts.text}`, labelFont: `12px ${fonts.text}`, grid: { stroke: palette.divider, width: 1 }, ticks: { show: false } };
    const plot = new uPlot(
      {
        width: Math.max(node.clientWidth, 200),
        height: HEIGHT,
        scales: { x: { time: false } },
        legend: { show: false },
        cursor: { drag: { x: true, y: false } },
        axes: [
          { ...axis, label: xName },
          { ...axis, label: yName, size: 64 },
        ],
        series: [{}, { stroke: seriesColours[mode][0] ?? palette.text, width: 1, points: { show: false } }],
      },
      columns(wave),
      node,
    );
    const resized = new ResizeObserver(() => plot.setSize({ width: Math.max(node.clientWidth, 200), height: HEIGHT }));
    resized.observe(node);
    return () => {
      resized.disconnect();
      plot.destroy();
    };
  }, [wave, mode, xName, yName]);
  return <div ref={root} className="ms-enter-plot" role="img" aria-label={label} />;
}

function rateText(hertz: number): string {
  const [size, sign] = hertz >= 1000 ? [hertz / 1000, "kHz"] : [hertz, "Hz"];
  return `${formatNumber(size, Number.isInteger(size) ? 0 : null)} ${sign}`;
}

function useFigures(): (wave: Wave) => string {
  const t = useWords(enterWords);
  return ({ count, sample_rate_hz }) =>
    sample_rate_hz > 0
      ? t("waveFigures", { n: count, rate: rateText(sample_rate_hz), span: `${formatNumber(count / sample_rate_hz, 3)} s` })
      : t("waveCount", { n: count });
}

function NotArrived({ onRetry }: { onRetry: () => void }) {
  const t = useWords(enterWords);
  return (
    <p className="ms-row ms-second" role="status">
      <span aria-hidden="true">◷</span>
      <span className="ms-grow">{t("notArrived")}</span>
      <Button size="small" onClick={onRetry}>
        {t("tryAgain")}
      </Button>
    </p>
  );
}

function WaveOf({ blob }: { blob: BlobReference }) {
  const t = useWords(enterWords);
  const figures = useFigures();
  const wave = useResource(blob.sha256, (signal) => api.get<Wave>(`/blobs/${blob.sha256}/waveform`, { buckets: BUCKETS }, signal), true);
  if (wave.error instanceof ApiError && wave.error.status === 404) return <NotArrived onRetry={wave.reload} />;
  if (wave.value === undefined) return wave.error ? <Failure error={wave.error} onRetry={wave.reload} /> : <Loading rows={4} />;
  return (
    <figure className="ms-enter-figure">
      <Plot wave={wave.value} label={`${t("waveform")} ${figures(wave.value)}`} />
      <figcaption className="ms-caption ms-third ms-num">{figures(wave.value)}</figcaption>
    </figure>
  );
}

function ImageOf({ blob }: { blob: BlobReference }) {
  const t = useWords(enterWords);
  const [round, setRound] = useState(0);
  const [missing, setMissing] = useState(false);
  useEffect(() => setMissing(false), [blob.sha256, round]);
  if (missing) return <NotArrived onRetry={() => setRound((count) => count + 1)} />;
  return <img src={urlOf(`/blobs/${blob.sha256}`)} alt={`${t("image")} ${sizeText(blob.size)}`} className="ms-enter-image" onError={() => setMissing(true)} />;
}

/** What a reference or an array stands for: an image, a waveform over time, or a file to download. */
export default function BlobView({ value }: { value: unknown }) {
  const t = useWords(enterWords);
  const failed = useFailed();
  const figures = useFigures();
  const blob = blobOf(value);
  const numbers = blob ? null : numbersOf(value);
  if (numbers) {
    const wave = { count: numbers.length, sample_rate_hz: 0, unit: "1", bucket: 1, min: numbers, max: numbers };
    return <Plot wave={wave} label={figures(wave)} />;
  }
  if (!blob) return null;
  return (
    <div className="ms-stack">
      {blob.media_type.startsWith("image/") ? <ImageOf blob={blob} /> : blob.media_type === WAVEFORM ? <WaveOf blob={blob} /> : null}
      <p className="ms-row ms-caption ms-third">
        <span className="ms-grow ms-cut">
          {blob.media_type} · {sizeText(blob.size)}
        </span>
        <Button size="small" onClick={() => void download("GET", `/blobs/${blob.sha256}`, {}, `${blob.sha256.slice(0, 16)}`).catch(failed)}>
          {t("download")}
        </Button>
      </p>
    </div>
  );
}
