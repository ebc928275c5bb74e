import { useRef } from "react";
import { formatNumber } from "../format/number";
import { type Cell, useLiveWriter } from "../live";
import type { Tag } from "../types";
import { useWords } from "../words";
import { plantWords } from "../words/plant";

const HEIGHT = 14;
const UPPER = new Set(["H", "HH"]);
const LOWER = new Set(["L", "LL"]);

/** Where a value lies between the ends of a range, 0 to 1; outside it stays at the end. */
export function share(value: number, low: number, high: number): number {
  return Math.max(0, Math.min(1, (value - low) / (high - low)));
}

const percent = (part: number) => `${(part * 100).toFixed(2)}%`;

/** Range, normal band, limits and pointer: the abnormal is seen without reading numbers. */
export function RangeBar({ tag }: { tag: Tag }) {
  const t = useWords(plantWords);
  const root = useRef<SVGSVGElement>(null);
  const pointer = useRef<SVGSVGElement>(null);
  const { low, high } = tag;
  const write = ({ value, known }: Cell) => {
    if (!root.current || !pointer.current || low === null || high === null) return;
    const shown = known && typeof value === "number" && Number.isFinite(value);
    pointer.current.style.display = shown ? "" : "none";
    if (!shown) return;
    pointer.current.setAttribute("x", percent(share(value, low, high)));
    root.current.dataset.out = String(value < low || value > high);
  };
  useLiveWriter(tag.tag, write);
  if (low === null || high === null || high <= low) return null;
  const limits = tag.alarms.filter(({ condition }) => condition !== "stale");
  const bandLow = Math.max(low, ...limits.filter(({ condition }) => LOWER.has(condition)).map(({ limit }) => limit));
  const bandHigh = Math.min(high, ...limits.filter(({ condition }) => UPPER.has(condition)).map(({ limit }) => limit));
  const written = limits.map(({ condition, limit }) => `${condition} ${formatNumber(limit, tag.decimals)}`).join(", ") || t("none");
  const label = t("rangeText", { low: formatNumber(low, tag.decimals), high: formatNumber(high, tag.decimals), limits: written });
  return (
    <svg ref={root} className="ms-bar-range" height={HEIGHT} role="img" aria-label={label}>
      <title>{label}</title>
      <rect className="track" x="0" y="5" width="100%" height="6" />
      <rect className="band" x={percent(share(bandLow, low, high))} y="5" width={percent(Math.max(0, share(bandHigh, low, high) - share(bandLow, low, high)))} height="6" />
      {limits.map(({ id, limit }) => (
        <line key={id} className="limit" x1={percent(share(limit, low, high))} x2={percent(share(limit, low, high))} y1="3" y2="13" />
      ))}
      <svg ref={pointer} overflow="visible">
        <path className="pointer" d="M-5 0h10l-5 8z" />
      </svg>
    </svg>
  );
}
