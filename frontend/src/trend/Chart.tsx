import { useEffect, useLayoutEffect, useMemo, useRef } from "react";
import { usePhone } from "../media";
import type { Tag } from "../types";
import type { AlarmBar } from "./alarmBars";
import { ALARM_LANE_HEIGHT, AlarmLane } from "./AlarmLane";
import { CursorLayer } from "./CursorLayer";
import { type GestureTarget, listen } from "./gestures";
import { LaneChart } from "./LaneChart";
import type { Lane } from "./lanes";
import { STATE_PADDING, STATE_ROW } from "./stateBands";
import type { Cursors, Picture } from "./picture";
import { TIME_AXIS_HEIGHT, edges } from "./plot";
import type { Zoom } from "./range";
import { STRIP_HEIGHT, Strip } from "./Strip";
import { TEXT_LANE_HEIGHT, TextLanes } from "./TextLanes";

const LANE_MIN = 76;

export interface ChartProps {
  lanes: readonly Lane[];
  tags: ReadonlyMap<number, Tag>;
  /** Tags that have no line. */
  texts: readonly Tag[];
  slots: ReadonlyMap<number, number>;
  hidden: ReadonlySet<number>;
  picture: Picture;
  cursors: Cursors;
  bars: readonly AlarmBar[];
  alarmsFailed: string;
  onAlarmsHidden: (count: number) => void;
  round: number;
  width: number;
  height: number;
  told: string;
  gestures: Omit<GestureTarget, "area" | "select" | "span">;
  onPlace: () => void;
  onStrip: (span: Zoom, done: boolean) => void;
}

const stateHeight = (lane: Lane) => (lane.states ? lane.tags.length * STATE_ROW + 2 * STATE_PADDING : 0);

/** Lanes of lines share what lanes of states leave: those are as high as their rows. */
function heights(lanes: readonly Lane[], room: number): number[] {
  const lines = lanes.filter(({ states }) => !states).length;
  const left = room - TIME_AXIS_HEIGHT - lanes.reduce((sum, lane) => sum + stateHeight(lane), 0);
  const share = Math.max(Math.floor(left / Math.max(lines, 1)), LANE_MIN);
  return lanes.map((lane, index) => (stateHeight(lane) || share) + (index === lanes.length - 1 ? TIME_AXIS_HEIGHT : 0));
}

/** All lanes over one time axis, with cursors, alarms and the strip of the whole history. */
export function Chart(props: ChartProps) {
  const { lanes, tags, slots, hidden, picture, cursors, width, gestures, told } = props;
  const phone = usePhone();
  const root = useRef<HTMLDivElement>(null);
  const selection = useRef<HTMLDivElement>(null);
  const right = lanes.some(({ scales }) => scales.some(({ side }) => side === "right"));
  const names = !phone;
  const edge = useMemo(() => edges(right, names), [right, names]);
  const inner = Math.max(width - edge.left - edge.right, 10);
  const target = useRef(gestures);
  useLayoutEffect(() => {
    target.current = gestures;
  });
  useEffect(() => {
    if (!root.current) return;
    const select = (from: number | null, until: number | null) => {
      const node = selection.current;
      if (!node) return;
      node.hidden = from === null || until === null;
      if (from === null || until === null) return;
      node.style.transform = `translateX(${edge.left + from}px)`;
      node.style.width = `${until - from}px`;
    };
    return listen(root.current, {
      span: () => picture.span,
      area: () => ({ left: edge.left, width: inner }),
      select,
      draft: (span) => target.current.draft(span),
      commit: (span) => target.current.commit(span),
      hover: (at_ms) => target.current.hover(at_ms),
      click: (at_ms) => target.current.click(at_ms),
      out: () => target.current.out(),
      clamp: (span, factor, around_ms) => target.current.clamp(span, factor, around_ms),
    });
  }, [picture, edge, inner]);
  const room = heights(lanes, props.height - ALARM_LANE_HEIGHT - STRIP_HEIGHT - props.texts.length * TEXT_LANE_HEIGHT - lanes.length - 2);
  const [strip] = lanes.flatMap((lane) => lane.tags).filter((tag) => !hidden.has(tag));
  return (
    <div className="ms-trend-chart">
      <div ref={root} className="ms-trend-lanes ms-inset" role="group" aria-label={told} tabIndex={0}>
        {lanes.map((lane, index) => (
          <LaneChart
            key={lane.key}
            lane={lane}
            tags={tags}
            slots={slots}
            hidden={hidden}
            picture={picture}
            width={width}
            height={room[index] ?? LANE_MIN}
            last={index === lanes.length - 1}
            right={right}
            names={names}
          />
        ))}
        <div ref={selection} className="ms-trend-selection" hidden />
        <CursorLayer picture={picture} cursors={cursors} left={edge.left} width={inner} onPlace={props.onPlace} />
      </div>
      <TextLanes tags={props.texts} picture={picture} left={edge.left} width={inner} />
      <AlarmLane bars={props.bars} failed={props.alarmsFailed} picture={picture} left={edge.left} width={inner} onHidden={props.onAlarmsHidden} />
      {strip === undefined ? null : (
        <Strip tag={strip} picture={picture} round={props.round} left={edge.left} width={inner} onMove={props.onStrip} />
      )}
    </div>
  );
}
