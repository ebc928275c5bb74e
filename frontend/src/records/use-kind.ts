/** Kinds of records: they are declared in code and stay as they are while the page is open. */

import { useMemo } from "react";
import { api } from "../api";
import { type Resource, useResource } from "../resource";
import { useZone } from "../session";
import { useUnits } from "../units";
import { type Say, useSay, useWords } from "../words";
import { recordWords } from "../words/records";
import type { Kind, KindBrief, Row, Titles } from "./types";
import type { Tongue } from "./value-text";

const asked = new Map<string, Promise<unknown>>();

/** Ask once; what failed is asked for again. */
function once<T>(path: string): Promise<T> {
  const known = asked.get(path) as Promise<T> | undefined;
  if (known) return known;
  const answer = api.get<T>(path);
  asked.set(path, answer);
  answer.catch(() => asked.delete(path));
  return answer;
}

export const askKind = (name: string) => once<Kind>(`/kinds/${name}`);

export const useKinds = (): Resource<KindBrief[]> => useResource("kinds", () => once<KindBrief[]>("/kinds"));
export const useKind = (name: string | null): Resource<Kind> => useResource(name, () => askKind(name ?? ""), true);

/** What values are put into words with. */
export function useTongue(): Tongue {
  const t = useWords(recordWords);
  const say = useSay();
  const zone = useZone();
  const units = useUnits();
  const kinds = useKinds();
  return useMemo(() => ({ t, say, zone, units: units.value?.items ?? [], kinds: kinds.value ?? [] }), [t, say, zone, units.value, kinds.value]);
}

/** What people call a record: its key, a text in two languages in theirs. */
export function nameOf(kind: Kind, row: Row, say: Tongue["say"], titles: Titles): string {
  const told = (name: string) => {
    const value = row[name];
    const node = kind.schema.properties?.[name];
    if (node?.["x-control"] === "link") return say(titles[String(value)]);
    return typeof value === "number" ? String(value) : say(node?.["x-choices"]?.[String(value)] ?? (value as string));
  };
  return (kind.key.includes(kind.title) ? kind.key : [kind.title]).map(told).filter((part) => part !== "").join(" ");
}

/** A right in the reader's words; one that has none stays as it is named. */
export function rightWord(right: string, t: Say<typeof recordWords>): string {
  const key = `right_${right}`;
  return key in recordWords ? t(key as keyof typeof recordWords) : right;
}

const PAGELESS = new Set(["", "tag", "connection", "device", "gateway", "user", "credential"]);

/** Where lists of a kind stand: those that give rights, under administration. */
const HOMES: Readonly<Record<string, string>> = { role: "/admin/roles", assignment: "/admin/assignments", grant: "/admin/grants" };
export const homeOf = (kind: string) => HOMES[kind] ?? `/records/${kind}`;
export const givesRights = (kind: string) => kind in HOMES;

/** The way to a record, by the kind a link leads to. */
export function wayTo(kind: string, id: string): string | null {
  if (kind === "asset") return `/plant/${id}`;
  return PAGELESS.has(kind) ? null : `${homeOf(kind)}/${id}`;
}
