import type { Alarm } from "../types";
import { areaOfPath } from "./text";

export const FLOOD = 10;
export const FLOOD_MS = 600_000;

export interface FloodArea {
  area: string;
  /** The first alarm of the area, oldest first; low ones are only counted. */
  alarms: Alarm[];
  low: number;
}

/**
 * The alarms raised in the last ten minutes by area, the area that began first on top; null while there are few.
 *
 * Whether it is a flood follows from all alarms, the areas from those that match a filter.
 */
export function floodOf(alarms: readonly Alarm[], now: number, matching = alarms): { count: number; areas: FloodArea[] } | null {
  const isFresh = ({ raised_ms, state }: Alarm) => now - raised_ms <= FLOOD_MS && state !== "normal";
  const count = alarms.filter(isFresh).length;
  if (count < FLOOD) return null;
  const areas = new Map<string, FloodArea>();
  for (const alarm of matching.filter(isFresh).sort((one, other) => one.raised_ms - other.raised_ms)) {
    const area = areaOfPath(alarm.path);
    const found = areas.get(area) ?? { area, alarms: [], low: 0 };
    areas.set(area, found);
    if (found.alarms.length > 0 && (alarm.priority === "low" || alarm.priority === "diagnostic")) found.low += 1;
    else found.alarms.push(alarm);
  }
  return { count, areas: [...areas.values()] };
}
