import { useEffect, useMemo, useState } from "react";
import type { Alarm } from "../types";

interface Held {
  order: readonly string[];
  rows: ReadonlyMap<string, Alarm>;
}

const hold = (alarms: readonly Alarm[]): Held => ({
  order: alarms.map(({ alarm }) => alarm),
  rows: new Map(alarms.map((alarm) => [alarm.alarm, alarm])),
});

/** The rows in the order they were held in: states change, rows stay; what is gone shows as cleared. */
export function inHeldOrder(held: Held, alarms: readonly Alarm[]): Alarm[] {
  const current = new Map(alarms.map((alarm) => [alarm.alarm, alarm]));
  return held.order.map((id) => current.get(id) ?? { ...(held.rows.get(id) as Alarm), state: "normal" as const });
}

/** While pointer or focus is inside, nothing reorders; newcomers are counted and wait. */
export function useCalmOrder(alarms: readonly Alarm[], inside: boolean): { shown: readonly Alarm[]; waiting: number; renew: () => void } {
  const [held, setHeld] = useState<Held | null>(null);
  useEffect(() => {
    setHeld((before) => (inside ? (before ?? hold(alarms)) : null));
  }, [inside, alarms]);
  return useMemo(() => {
    const renew = () => setHeld(hold(alarms));
    if (!held) return { shown: alarms, waiting: 0, renew };
    const waiting = alarms.filter(({ alarm }) => !held.rows.has(alarm)).length;
    return { shown: inHeldOrder(held, alarms), waiting, renew };
  }, [held, alarms]);
}
