import { api } from "../api";
import type { Kind } from "../records/types";
import { useResource } from "../resource";
import { useSession } from "../session";
import type { SharedBy } from "./shared";
import type { Doing } from "./types";

interface Own {
  kinds: { kind: string; doings: Doing[] }[];
}

type May = (kind: Kind, doing: string) => boolean;

/** Whether the reader may do something with records of kinds: by their rights, else by what is assigned to them. Where in the plant, the server knows. */
export function useMayOf(kinds: readonly Kind[]): May {
  const { person } = useSession();
  const has = (right: string) => person.rights.includes(right);
  const own = useResource(kinds.some(({ write }) => !has(write)) ? "own" : null, (signal) => api.get<Own>("/access/own", {}, signal));
  return (kind, doing) => has(rightFor(kind, doing)) || (own.value?.kinds.find((each) => each.kind === kind.kind)?.doings ?? []).some((each) => each.doing === doing);
}

function rightFor(kind: Kind, doing: string): string {
  if (doing === "export" && kind.view === "view") return "export";
  if (doing === "view" || doing === "export" || doing === "comment") return kind.view;
  return kind.moves.find(({ name }) => doing === `move:${name}`)?.right ?? kind.write;
}

/** The same of one kind; of records that another company shows, its grants say it. */
export function useMay(kind: Kind, shared: SharedBy | null = null): (doing: string) => boolean {
  const may = useMayOf(shared ? [] : [kind]);
  if (!shared) return (doing) => may(kind, doing);
  return (doing) => doing === "view" || (doing === "export" && shared.grants.some((grant) => grant.may_export)) || (doing === "comment" && shared.grants.some((grant) => grant.may_comment));
}
