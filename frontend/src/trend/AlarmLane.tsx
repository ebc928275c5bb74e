import { useEffect, useMemo, useState } from "react";
import { Popover } from "antd";
import { AlarmSign } from "../components/AlarmSign";
import { useZone } from "../session";
import { useSay, useWords } from "../words";
import { trendWords } from "../words/trend";
import { type AlarmBar, drawnBars, tracksOf } from "./alarmBars";
import type { Picture } from "./picture";
import type { Zoom } from "./range";

const SIGN = 16;
const TRACK = 20;

function Told({ bar }: { bar: AlarmBar }) {
  const t = useWords(trendWords);
  const say = useSay();
  const zone = useZone();
  return (
    <dl className="ms-facts">
      <dt>{t("tag")}</dt>
      <dd>{bar.tag_name}</dd>
      <dt>{t("state")}</dt>
      <dd>{t(bar.state)}</dd>
      <dt>{t("time")}</dt>
      <dd className="ms-num">
        {t("alarmSpan", {
          name: say(bar.name),
          from: zone.full(bar.start_ms),
          until: bar.end_ms === null ? t("stillActive") : zone.full(bar.end_ms),
        })}
      </dd>
    </dl>
  );
}

interface AlarmLaneProps {
  bars: readonly AlarmBar[];
  failed: string;
  picture: Picture;
  left: number;
  width: number;
}

/** When the alarms of the shown tags stood: a sign where each was raised and a bar until it cleared. */
export function AlarmLane({ bars, failed, picture, left, width }: AlarmLaneProps) {
  const t = useWords(trendWords);
  const say = useSay();
  const [span, setSpan] = useState<Zoom>(picture.span);
  useEffect(() => picture.subscribe(() => setSpan(picture.span)), [picture]);
  const { shown, hidden, tracks } = useMemo(() => {
    const inside = bars.filter((bar) => bar.start_ms <= span.end_ms && (bar.end_ms ?? Infinity) >= span.start_ms);
    const drawn = drawnBars(inside);
    return { shown: drawn.bars, hidden: drawn.hidden, tracks: tracksOf(drawn.bars, span, width, SIGN) };
  }, [bars, span, width]);
  const scale = width / Math.max(span.end_ms - span.start_ms, 1);
  const height = TRACK * Math.max(1, ...tracks.map((track) => track + 1)) + 4;
  return (
    <div className="ms-trend-alarms" style={{ height }}>
      <span className="ms-trend-alarms-name ms-caption ms-third">{t("alarmsLane")}</span>
      <ul style={{ insetInlineStart: left, width }}>
        {shown.map((bar, index) => {
          const from = Math.max((bar.start_ms - span.start_ms) * scale, 0);
          const until = Math.min(((bar.end_ms ?? span.end_ms) - span.start_ms) * scale, width);
          return (
            <li key={bar.key} style={{ insetInlineStart: Math.min(from, width - SIGN), width: Math.max(until - from, SIGN), top: 2 + (tracks[index] ?? 0) * TRACK }}>
              <Popover trigger="click" destroyOnHidden content={<Told bar={bar} />}>
                <button type="button" className="ms-plain" aria-label={`${say(bar.name)}, ${t(bar.priority)}, ${t(bar.state)}`}>
                  <span className={`ms-trend-bar ms-trend-bar-${bar.priority}`} data-open={bar.end_ms === null} />
                  <AlarmSign priority={bar.priority} state={bar.state} size={SIGN} silent />
                </button>
              </Popover>
            </li>
          );
        })}
      </ul>
      {failed || hidden > 0 ? (
        <span className="ms-trend-alarms-more ms-caption ms-second">
          {failed ? t("alarmsFailed", { reason: failed }) : t("alarmsMore", { n: hidden })}
        </span>
      ) : null}
    </div>
  );
}
