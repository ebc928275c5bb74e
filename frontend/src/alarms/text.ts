import { formatNumber } from "../format/number";
import type { Alarm, AlarmEvent } from "../types";

/** `2.914 / 2.900 MPa`; a silent tag has neither. */
export function valueAndLimit(alarm: Pick<Alarm | AlarmEvent, "value" | "limit" | "unit" | "decimals" | "condition">): string {
  if (alarm.condition === "stale") return "-";
  const value = alarm.value === null ? "-" : formatNumber(alarm.value, alarm.decimals);
  return `${value} / ${formatNumber(alarm.limit, alarm.decimals)} ${alarm.unit}`.trim();
}

/** The place of a tag without its own name. */
export function placeOfPath(path: string): string {
  const parts = path.split("/");
  return parts.slice(Math.max(0, parts.length - 3), -1).join(" / ");
}
