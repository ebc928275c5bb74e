/** Which tag is drawn in which lane, on which scale. */

export const TAGS_MAX = 32;
export const LANES_MAX = 8;
/** Above this many lines in a lane, lanes are proposed. */
export const LINES_MAX = 8;

export type LaneMode = "unit" | "overlay" | "each";

export interface LaneTag {
  tag: number;
  kind: string;
  unit: string;
}

export interface Scale {
  key: string;
  unit: string;
  tags: number[];
  /** Only the first two scales of a lane have an axis; states have none. */
  side: "left" | "right" | "own" | "band";
}

export interface Lane {
  key: string;
  tags: number[];
  scales: Scale[];
  /** States drawn as bands, one row a tag. */
  states: boolean;
}

/** Texts, files and arrays have no line. */
export function drawable(kind: string): boolean {
  return kind !== "text" && kind !== "blob" && kind !== "array";
}

/** Between two samples there is nothing in between: bands, and steps where all is overlaid. */
export function discrete(kind: string): boolean {
  return kind === "boolean" || kind === "enumeration";
}

function scalesOf(tags: readonly LaneTag[]): Scale[] {
  const scales: Scale[] = [];
  for (const { tag, unit, kind } of tags) {
    const key = discrete(kind) ? `state-${tag}` : `unit-${unit}`;
    const known = scales.find((scale) => scale.key === key);
    if (known) known.tags.push(tag);
    else scales.push({ key, unit, tags: [tag], side: scales.length === 0 ? "left" : scales.length === 1 ? "right" : "own" });
  }
  return scales;
}

/** Lay tags out in at most `most` lanes, states in one more below; what has no lane of its own joins the last one. */
export function lanesOf(tags: readonly LaneTag[], mode: LaneMode, most = LANES_MAX): Lane[] {
  const banded = ({ kind }: LaneTag) => mode !== "overlay" && discrete(kind);
  const groups = new Map<string, LaneTag[]>();
  for (const tag of tags) {
    if (!drawable(tag.kind) || banded(tag)) continue;
    const key = mode === "overlay" ? "all" : mode === "each" ? `tag-${tag.tag}` : `unit-${tag.unit}`;
    const group = groups.get(key);
    if (group) group.push(tag);
    else groups.set(key, [tag]);
  }
  const entries = [...groups.entries()];
  const kept = entries.slice(0, most);
  const last = kept[most - 1];
  if (last) kept[most - 1] = [last[0], [...last[1], ...entries.slice(most).flatMap(([, group]) => group)]];
  const lanes: Lane[] = kept.map(([key, group]) => ({ key, tags: group.map(({ tag }) => tag), scales: scalesOf(group), states: false }));
  const states = tags.filter(banded);
  if (states.length > 0) {
    const scales = scalesOf(states).map((scale) => ({ ...scale, side: "band" as const }));
    lanes.push({ key: "states", tags: states.map(({ tag }) => tag), scales, states: true });
  }
  return lanes;
}

export const COLOURS = 8;

/** A tag keeps its colour while it stays: free colours first, then the least used one, dashed. */
export function colourSlots(tags: readonly number[], before: ReadonlyMap<number, number>): Map<number, number> {
  const slots = new Map<number, number>();
  const used = new Set<number>();
  for (const tag of tags) {
    const slot = before.get(tag);
    // Two tags that were never shown together may have had the same colour.
    if (slot === undefined || used.has(slot)) continue;
    slots.set(tag, slot);
    used.add(slot);
  }
  for (const tag of tags) {
    if (slots.has(tag)) continue;
    let slot = 0;
    while (used.has(slot)) slot += 1;
    used.add(slot);
    slots.set(tag, slot);
  }
  return slots;
}
