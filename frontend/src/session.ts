/** Who is signed in and where: the plant, its zone, the person and what the person may do. */

import { createContext, useContext } from "react";
import { Zone } from "./format/time";
import { ROLES, type Person, type Role, type Site } from "./types";

export interface Session {
  site: Site;
  zone: Zone;
  person: Person;
  /** Roles are cumulative: an engineer may do what an operator may. */
  may: (role: Role) => boolean;
  signOut: () => Promise<void>;
  update: (person: Person) => void;
}

export const SessionContext = createContext<Session | null>(null);

export function useSession(): Session {
  const found = useContext(SessionContext);
  if (!found) throw new Error("useSession outside its provider");
  return found;
}

/** The plant's zone, for times and axes. */
export function useZone(): Zone {
  return useSession().zone;
}

export function rankOf(role: Role): number {
  return ROLES.indexOf(role);
}
