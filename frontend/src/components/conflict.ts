/** Two people on one record: what both changed is chosen field by field, what only the other changed is taken over. */

export type Path = readonly (string | number)[];
export type Values = Record<string, unknown>;

export interface Difference {
  path: Path;
  before: unknown;
  mine: unknown;
  theirs: unknown;
}

export interface Differences {
  /** Changed by both, each in another way. */
  both: Difference[];
  /** Changed by the other alone. */
  theirs: Difference[];
}

/** What stands at a path of a record, undefined where there is nothing. */
export function valueAt(record: unknown, path: Path): unknown {
  return path.reduce<unknown>((found, key) => (typeof found === "object" && found !== null ? (found as Values)[key] : undefined), record);
}

const same = (one: unknown, other: unknown) => JSON.stringify(one || one === 0 || one === false ? one : null) === JSON.stringify(other || other === 0 || other === false ? other : null);

/** Compare what is entered with the record as it was opened and as it stands now. */
export function differences(paths: readonly Path[], before: Values, mine: Values, now: Values): Differences {
  const found: Differences = { both: [], theirs: [] };
  for (const path of paths) {
    if (!(String(path[0]) in now)) continue;
    const one = { path, before: valueAt(before, path), mine: valueAt(mine, path), theirs: valueAt(now, path) };
    if (same(one.mine, one.theirs) || same(one.before, one.theirs)) continue;
    found[same(one.before, one.mine) ? "theirs" : "both"].push(one);
  }
  return found;
}
