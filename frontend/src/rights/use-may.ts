import { api } from "../api";
import type { Kind } from "../records/types";
import { useResource } from "../resource";
import { useSession } from "../session";
import type { SharedBy } from "./shared";
import type { Doing } from "./types";

interface Own {
  kinds: { kind: string; doings: Doing[] }[];
}

/** Whether the reader may do something with records of a kind: by their rights, else by what is assigned to them. Where in the plant, the server knows. */
export function useMay(kind: Kind, shared: SharedBy | null = null): (doing: string) => boolean {
  const { person } = useSession();
  const has = (right: string) => person.rights.includes(right);
  const asked = shared === null && !has(kind.write);
  const own = useResource(asked ? kind.kind : null, (signal) => api.get<Own>("/access/own", {}, signal));
  if (shared) {
    return (doing) => doing === "view" || (doing === "export" && shared.grants.some((grant) => grant.may_export)) || (doing === "comment" && shared.grants.some((grant) => grant.may_comment));
  }
  const rightFor = (doing: string) => {
    if (doing === "export" && kind.view === "view") return "export";
    if (doing === "view" || doing === "export" || doing === "comment") return kind.view;
    return kind.moves.find(({ name }) => doing === `move:${name}`)?.right ?? kind.write;
  };
  const assigned = own.value?.kinds.find((each) => each.kind === kind.kind)?.doings ?? [];
  return (doing) => has(rightFor(doing)) || assigned.some((each) => each.doing === doing);
}
