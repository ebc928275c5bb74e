/** Who is signed in and where: the plant, its zone, the person and what the person may do. */

import { createContext, useContext } from "react";
import { Zone } from "./format/time";
import { ROLES, type Person, type Role, type Site } from "./types";

export interface Session {
  site: Site;
  zone: Zone;
  person: Person;
  /** Whether somebody may in the whole plant what a role may: roles are cumulative, and assignments add to them. */
  may: (role: Role) => boolean;
  /** The same of a place in the plant, by its path: there, assignments to a part of the plant count, too. */
  mayAt: (role: Role, path: string) => boolean;
  /** The same of any part of the plant. */
  maySomewhere: (role: Role) => boolean;
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

/** The right that tells one role from the one before it: who has it by an assignment may the same. */
export const RIGHT_OF: Readonly<Record<Role, string>> = { guest: "sign-in", viewer: "view", operator: "acknowledge", engineer: "configure", administrator: "administer" };

/** What a person may do where, from the rights the session tells. */
export function rightsOf(person: Pick<Person, "rights" | "parts">): Pick<Session, "may" | "mayAt" | "maySomewhere"> {
  const may = (role: Role) => person.rights.includes(RIGHT_OF[role]);
  const inPart = (role: Role, holds: (path: string) => boolean) => person.parts.some(({ path, rights }) => rights.includes(RIGHT_OF[role]) && holds(path));
  return {
    may,
    // Whose an asset is, the page does not know: the server does.
    mayAt: (role, path) => may(role) || inPart(role, (part) => part === "" || `${path}/`.startsWith(`${part}/`)),
    maySomewhere: (role) => may(role) || inPart(role, () => true),
  };
}
