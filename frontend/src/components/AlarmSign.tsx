import { useWords } from "../words";
import type { AlarmState } from "../types";
import { alarmSigns, type Priority } from "../theme/tokens";

const SHAPES: Record<Priority, string> = {
  critical: "M2 2h16v16H2z",
  high: "M10 1.5 19 18H1z",
  medium: "M10 18.5 1 2h18z",
  low: "M10 1.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z",
  diagnostic: "M10 .8 19.2 10 10 19.2.8 10z",
};
/** Where the middle of the character lies: the centre of mass, not of the box. */
const MIDDLES: Record<Priority, number> = { critical: 10, high: 12.2, medium: 7.8, low: 10, diagnostic: 10 };

export interface AlarmSignProps {
  priority: Priority;
  /** Fill says state: unacknowledged filled, acknowledged hollow, returned hollow and dashed. */
  state?: AlarmState;
  /** 20 in lists, 16 in trees, 28 and more on pictures. */
  size?: number;
  /** Leave out the spoken text where the words stand beside the sign. */
  silent?: boolean;
}

/** The sign of an alarm: shape and digit for priority, fill for state, never colour alone. */
export function AlarmSign({ priority, state = "active-unacknowledged", size = 20, silent = false }: AlarmSignProps) {
  const t = useWords();
  const spoken = silent
    ? ({ "aria-hidden": true } as const)
    : ({ role: "img", "aria-label": t("alarmSign", { priority: t(priority), state: t(state) }) } as const);
  return (
    <svg className={`ms-sign ms-sign-${priority}`} data-state={state} viewBox="0 0 20 20" width={size} height={size} {...spoken}>
      <path className="ms-sign-double" d={SHAPES[priority]} />
      <path className="ms-sign-shape" d={SHAPES[priority]} />
      <text x="10" y={MIDDLES[priority]} dy="0.36em" textAnchor="middle">
        {alarmSigns[priority]}
      </text>
      {state === "suppressed" ? <path className="ms-sign-strike" d="M2 18 18 2" /> : null}
    </svg>
  );
}
