import { useSearchParams } from "react-router";
import { live, useLink, useLiveValue } from "../live";
import { qualityState } from "../words/quality";
import type { Cell } from "../live/store";

export const LAG_MAX_MS = 5000;

export type Off = "offBad" | "offLag" | "offWall";

/** Why the page as a whole may not write now: on a wall, or when values are late. */
export function useWritingOff(): Off | null {
  const [search] = useSearchParams();
  const link = useLink();
  if (search.has("wall")) return "offWall";
  const late = link.lagMs > LAG_MAX_MS || link.state === "offline" || link.state === "reconnecting";
  return late ? "offLag" : null;
}

const isGood = (cell: Cell) => cell.known && !cell.stale && qualityState(cell.quality) === "good";

/** Why one tag may not be written now, or null. */
export function useTagOff(tag: number): Off | null {
  const cell = useLiveValue(tag);
  const off = useWritingOff();
  return off ?? (isGood(cell) ? null : "offBad");
}

/** Whether all of some tags have good values at this moment. */
export const allGood = (tags: readonly number[]): boolean => tags.every((tag) => isGood(live.shown(tag)));
