import { type ButtonHTMLAttributes, useEffect, useMemo, useState } from "react";
import { Popover } from "antd";
import { AlarmSign } from "../components/AlarmSign";
import { useZone } from "../session";
import { useSay, useWords } from "../words";
import { trendWords } from "../words/trend";
import { type AlarmBar, TRACKS_MAX, placed } from "./alarmBars";
import type { Picture } from "./picture";
import type { Zoom } from "./range";

const SIGN = 16;
const TRACK = 24;
/** Always the same: alarms that come and go do not move the charts. */
export const ALARM_LANE_HEIGHT = TRACKS_MAX * TRACK + 4;

function Told({ bar }: { bar: AlarmBar }) {
  const t = useWords(trendWords);
  const say = useSay();
  const zone = useZone();
  return (
    <dl className="ms-facts">
      <dt>{t("alarm")}</dt>
      <dd className="ms-bold">{say(bar.name)}</dd>
      <dt>{t("tag")}</dt>
      <dd>{bar.tag_name}</dd>
      <dt>{t("priority")}</dt>
      <dd>{t(bar.priority)}</dd>
      <dt>{t("state")}</dt>
      <dd>{t(bar.state)}</dd>
      <dt>{t("time")}</dt>
      <dd className="ms-num">
        {t("alarmSpan", {
          from: zone.full(bar.start_ms),
          until: bar.end_ms === null ? t("stillActive") : zone.full(bar.end_ms),
        })}
      </dd>
    </dl>
  );
}

function Bar({ bar, onOpen, ...rest }: { bar: AlarmBar; onOpen: (key: string) => void } & ButtonHTMLAttributes<HTMLButtonElement>) {
  const say = useSay();
  return (
    <button type="button" {...rest} className="ms-plain ms-inset" onClick={() => onOpen(bar.key)}>
      <span className={`ms-trend-bar ms-trend-bar-${bar.priority}`} data-open={bar.end_ms === null} />
      <AlarmSign priority={bar.priority} state={bar.state} size={SIGN} />
      <span className="ms-hidden">{say(bar.name)}</span>
    </button>
  );
}

interface AlarmLaneProps {
  bars: readonly AlarmBar[];
  failed: string;
  picture: Picture;
  left: number;
  width: number;
  /** How many alarms found no place, for the words below the figures. */
  onHidden: (count: number) => void;
}

/** When the alarms of the shown tags stood: a sign where each was raised and a bar until it cleared. */
export function AlarmLane({ bars, failed, picture, left, width, onHidden }: AlarmLaneProps) {
  const t = useWords(trendWords);
  const [span, setSpan] = useState<Zoom>(picture.span);
  const [open, setOpen] = useState<string | null>(null);
  useEffect(
    () =>
      picture.subscribe(() =>
        setSpan((before) => {
          const pixel = (picture.span.end_ms - picture.span.start_ms) / Math.max(width, 1);
          const moved = Math.abs(picture.span.end_ms - before.end_ms) + Math.abs(picture.span.start_ms - before.start_ms);
          return moved < pixel ? before : picture.span;
        }),
      ),
    [picture, width],
  );
  const { placed: shown, hidden } = useMemo(() => placed(bars, span, width, TRACK), [bars, span, width]);
  useEffect(() => onHidden(hidden), [onHidden, hidden]);
  const toggle = (key: string) => setOpen((before) => (before === key ? null : key));
  return (
    <div className="ms-trend-alarms" style={{ height: ALARM_LANE_HEIGHT }}>
      <span className="ms-trend-alarms-name ms-caption ms-third">
        {t("alarmsLane")}
        {hidden > 0 ? <b className="ms-num">+{hidden}</b> : null}
      </span>
      <ul style={{ insetInlineStart: left, width }}>
        {shown.map(({ bar, from, until, track }) => (
            <li key={bar.key} style={{ insetInlineStart: from, width: until - from, top: 1 + track * TRACK }}>
              {open === bar.key ? (
                <Popover open trigger="click" onOpenChange={() => setOpen(null)} content={<Told bar={bar} />}>
                  <Bar bar={bar} onOpen={toggle} />
                </Popover>
              ) : (
                <Bar bar={bar} onOpen={toggle} />
              )}
            </li>
        ))}
      </ul>
      {failed ? <span className="ms-trend-alarms-more ms-caption ms-second">{t("alarmsFailed", { reason: failed })}</span> : null}
    </div>
  );
}
