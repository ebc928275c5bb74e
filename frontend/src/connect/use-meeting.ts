import { useState } from "react";
import { differences, type Differences, type Path, valueAt } from "../components/conflict";
import { type Field, withDefaults } from "./schema";
import type { Connection, Settings } from "./types";

/** What the wizard changes of a connection. */
export interface Entered {
  name: string;
  gateway: string;
  enabled: boolean;
  settings: Settings;
}

/** Two people on one connection: what differs, and the way to put one of both into the wizard. */
export function useMeeting(fields: readonly Field[], entered: Entered, put: (entered: Entered) => void) {
  const [found, setFound] = useState<Differences | null>(null);
  const placed = (into: Entered, path: Path, value: unknown): Entered =>
    path[0] === "settings" ? { ...into, settings: { ...into.settings, [String(path[1])]: value } } : { ...into, [String(path[0])]: value };
  const formOf = ({ name, gateway, enabled, settings }: Connection) => ({ name, gateway, enabled, settings: withDefaults(fields, settings) });
  const meet = (before: Connection, now: Connection) => {
    const paths: Path[] = [["name"], ["gateway"], ["enabled"], ...fields.map(({ key }) => ["settings", key])];
    const next = differences(paths, formOf(before), { ...entered }, formOf(now));
    put(next.theirs.reduce((into, { path, theirs }) => placed(into, path, theirs), entered));
    setFound(next);
  };
  return {
    found,
    meet,
    forget: () => setFound(null),
    valueOf: (path: Path) => valueAt(entered, path),
    set: (path: Path, value: unknown) => put(placed(entered, path, value)),
  };
}
