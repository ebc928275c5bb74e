/** Who may do what, as the interface tells it. */

/** One reason why someone may do something: their role, or an assignment. */
export interface Source {
  by: "role" | "assignment";
  role: string;
  id?: string;
  number?: string;
  reason?: string;
  place?: string;
  company?: "" | "operator" | "owner";
  calendar?: string;
  shift?: string;
  from_ms?: number | null;
  until_ms?: number | null;
  /** It holds at this moment. */
  active?: boolean;
}
export interface Doing {
  /** `view`, `move:release`, or a right of the platform. */
  doing: string;
  because: Source[];
}
export interface Someone {
  id: string;
  sort: "user" | "credential";
  name: string;
}
export interface Granted {
  id: string;
  number: string;
  company: string;
  purpose: string;
  shows: "records" | "figures";
  may_export: boolean;
  may_comment: boolean;
  until_ms: number;
}

/** For each reason what it allows; the reason somebody is asked for stands beside what it gives. */
export function bySource(doings: readonly Doing[]): { source: Source; doings: string[] }[] {
  const found = new Map<string, { source: Source; doings: string[] }>();
  for (const { doing, because } of doings) {
    for (const source of because) {
      const key = source.id ?? source.role;
      const known = found.get(key);
      if (known) known.doings.push(doing);
      else found.set(key, { source, doings: [doing] });
    }
  }
  return [...found.values()];
}
