import type { IconName } from "../components/Icon";
import type { Session } from "../session";
import type { shared } from "../words/shared";

export interface Entry {
  to: string;
  name: IconName & keyof typeof shared;
  /** Where else its pages lie. */
  also?: string;
  /** For whom its page has anything: an entry that would end in a refusal is not shown. */
  open: (session: Session) => boolean;
}

const watches = ({ maySomewhere }: Session) => maySomewhere("viewer");
const always = () => true;

/** The rail's entries: fixed, it never grows. */
export const ENTRIES: readonly Entry[] = [
  { to: "/", name: "overview", open: watches },
  { to: "/plant", name: "plant", open: watches },
  { to: "/alarms", name: "alarms", open: watches },
  { to: "/trend", name: "trends", open: watches },
  { to: "/pictures", name: "pictures", open: watches },
  { to: "/apps", name: "apps", also: "/records", open: always },
  { to: "/connect", name: "connect", open: ({ may }) => may("viewer") },
  { to: "/admin", name: "admin", open: ({ may }) => may("administrator") },
];

/** Pages that are found by name, but are no entry of the rail. */
const FURTHER: Readonly<Record<string, Entry["open"]>> = { "/records/events": ({ may }) => may("viewer") };

/** Whether a page is for somebody. */
export function isOpen(to: string, session: Session): boolean {
  return (ENTRIES.find((entry) => entry.to === to)?.open ?? FURTHER[to])?.(session) ?? true;
}
