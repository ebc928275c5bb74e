/** What the trend page shows, kept in the address: tags, range, lanes, cursors, comparison. */
import { useCallback, useMemo } from "react";
import { useSearchParams } from "react-router";
import { useZone } from "../session";
import { live } from "../live";
import { type LaneMode, TAGS_MAX } from "./lanes";
import { type Range, parseRange, rangeParam } from "./range";
import { DAY, HOUR, MINUTE, type Zone } from "./zone";

export interface View {
  tags: number[];
  range: Range;
  /** The link says which range; else the page chooses one. */
  chosen: boolean;
  mode: LaneMode;
  hidden: ReadonlySet<number>;
  table: boolean;
  /** How far back the compared lines lie; 0 without comparison. */
  compare_ms: number;
  a: number | null;
  b: number | null;
}

export const DEFAULT_RANGE: Range = { kind: "sliding", span_ms: 8 * HOUR };
/** How far back each comparison lies; shifts of unequal length count with their mean. */
export const comparisonsOf = ({ shifts }: Pick<Zone, "shifts">) => ({ shift: DAY / Math.max(1, shifts.length), day: DAY, week: 7 * DAY });
export type Comparison = keyof ReturnType<typeof comparisonsOf>;

function numbers(text: string | null): number[] {
  const found = (text ?? "").split(",").map(Number);
  return [...new Set(found.filter((each) => Number.isInteger(each) && each >= 0 && each < 2 ** 32))];
}

function moment(text: string | null): number | null {
  return text !== null && /^\d{12,14}$/.test(text) ? Number(text) : null;
}

/** Links may carry both ends instead of a range. */
function rangeOf(search: URLSearchParams, zone: Zone): Range | null {
  const written = search.get("range") ?? `${search.get("start")}-${search.get("end")}`;
  return parseRange(written, live.now(), zone);
}

const YOUNG_SPANS = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR];

/** A range that young tags fill: in the usual one they would be a line at the edge. Null where the usual one will do. */
export function youngRange(oldest_ms: number, now_ms: number): Range | null {
  const span_ms = YOUNG_SPANS.find((span) => now_ms - oldest_ms <= span);
  return span_ms === undefined ? null : { kind: "sliding", span_ms };
}

const MODES: readonly LaneMode[] = ["unit", "each", "overlay"];

export interface ViewControl {
  view: View;
  /** `push` makes a step that browser Back undoes; `replace` does not. */
  change: (next: Partial<View>, how: "push" | "replace") => void;
}

export function useView(): ViewControl {
  const zone = useZone();
  const [search, setSearch] = useSearchParams();
  const view = useMemo<View>(() => {
    const tags = search.get("tags") ? numbers(search.get("tags")).slice(0, TAGS_MAX) : [];
    const mode = MODES.find((each) => each === search.get("lanes")) ?? "unit";
    const compare = search.get("compare") as Comparison | null;
    return {
      tags,
      range: rangeOf(search, zone) ?? DEFAULT_RANGE,
      chosen: rangeOf(search, zone) !== null,
      mode,
      hidden: new Set(search.get("hide") ? numbers(search.get("hide")) : []),
      table: search.get("view") === "table",
      compare_ms: (compare && comparisonsOf(zone)[compare]) || 0,
      a: moment(search.get("a")),
      b: moment(search.get("b")),
    };
  }, [search, zone]);
  const change = useCallback(
    (next: Partial<View>, how: "push" | "replace") => {
      setSearch(
        (before) => {
          const params = new URLSearchParams(before);
          const put = (name: string, value: string | null) => (value ? params.set(name, value) : params.delete(name));
          if (next.tags) put("tags", next.tags.join());
          if (next.range) {
            put("range", rangeParam(next.range));
            put("start", null);
            put("end", null);
          }
          if (next.mode) put("lanes", next.mode === "unit" ? null : next.mode);
          if (next.hidden) put("hide", [...next.hidden].join());
          if (next.table !== undefined) put("view", next.table ? "table" : null);
          if (next.compare_ms !== undefined) {
            put("compare", Object.entries(comparisonsOf(zone)).find(([, span]) => span === next.compare_ms)?.[0] ?? null);
          }
          if (next.a !== undefined) put("a", next.a === null ? null : String(Math.round(next.a)));
          if (next.b !== undefined) put("b", next.b === null ? null : String(Math.round(next.b)));
          return params;
        },
        { replace: how === "replace", preventScrollReset: true },
      );
    },
    [setSearch, zone],
  );
  return { view, change };
}

const KEPT_MAX = 200;
const KEPT = "ms-trend-colours";

/** The colours tags had in this tab, so that a tag keeps its colour. */
export function keptSlots(): Map<number, number> {
  try {
    return new Map(JSON.parse(sessionStorage.getItem(KEPT) ?? "[]") as [number, number][]);
  } catch {
    return new Map();
  }
}

export function keepSlots(slots: ReadonlyMap<number, number>): void {
  const all = new Map([...keptSlots(), ...slots]);
  sessionStorage.setItem(KEPT, JSON.stringify([...all].slice(-KEPT_MAX)));
}
