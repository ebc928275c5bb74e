import type { Connection, ConnectionState } from "./types";

const RANKS: Record<ConnectionState, number> = { rejected: 0, lost: 1, unknown: 2, connecting: 3, connected: 4, disabled: 5 };

export const isBroken = ({ health }: Connection): boolean => RANKS[health.state] <= RANKS.unknown;

/** Broken first, then those with bad tags, then by name. */
export function brokenFirst(connections: readonly Connection[]): Connection[] {
  const rank = ({ health }: Connection) => RANKS[health.state] - (health.state === "connected" && health.tags_bad > 0 ? 0.5 : 0);
  return [...connections].sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name, "en", { numeric: true }));
}

/** The same connections in the order they were shown in; new ones come last. Rows do not move while someone reads. */
export function inOrder(connections: readonly Connection[], ids: readonly string[]): Connection[] {
  const place = new Map(ids.map((id, index) => [id, index]));
  return brokenFirst(connections).sort((one, other) => (place.get(one.id) ?? ids.length) - (place.get(other.id) ?? ids.length));
}
