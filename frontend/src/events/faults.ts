/** What a capture refused, event by event: the server names faults by where they stand in the document. */

import type { Words } from "../types";

export interface EventFault {
  /** Which event, from one on; null: the document itself. */
  number: number | null;
  /** Which field of it; empty: all of it. */
  field: string;
  text: Words;
}

/** Faults are told up to a limit. */
export const FAULTS_MAX = 50;

export function eventFaults(fields: Readonly<Record<string, Words>>): EventFault[] {
  return Object.entries(fields)
    .map(([path, text]) => {
      const found = /^epcisBody\.eventList\.(\d+)\.?(.*)$/.exec(path);
      return found ? { number: Number(found[1]) + 1, field: found[2] ?? "", text } : { number: null, field: path, text };
    })
    .sort((one, other) => (one.number ?? 0) - (other.number ?? 0));
}
