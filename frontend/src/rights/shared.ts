/** What other companies grant to this one. */

import { useSearchParams } from "react-router";
import { api } from "../api";
import { type Resource, useResource } from "../resource";
import type { Words } from "../types";

export interface Received {
  from: string;
  name: Words;
  kind: string;
  purpose: string;
  shows: "records" | "figures";
  may_export: boolean;
  may_comment: boolean;
  /** The most sensitive fields that are shown. */
  up_to: "public" | "internal" | "confidential" | "secret";
  until_ms: number;
}

/** The company whose records a page shows, and the grants by which it does. */
export interface SharedBy {
  key: string;
  name: Words;
  grants: readonly Received[];
}

export const useReceived = (wanted = true): Resource<{ items: Received[] }> =>
  useResource(wanted ? "received" : null, (signal) => api.get<{ items: Received[] }>("/grants/received", {}, signal));

/** Whose records of a kind the address asks for; null for the own ones. */
export function useShared(kind: string): SharedBy | null {
  const [params] = useSearchParams();
  const key = params.get("from") ?? "";
  const received = useReceived(key !== "");
  if (key === "") return null;
  const all = (received.value?.items ?? []).filter(({ from }) => from === key);
  return { key, name: all[0]?.name ?? { en: key, zh: key }, grants: all.filter((each) => each.kind === kind && each.shows === "records") };
}
