/** Events from the server, with the records that their names mean and with what was declared wrong among them. */

import { useCallback, useRef } from "react";
import { api, type Query, request } from "../api";
import { useFailed } from "../failed";
import { type Resource, useResource } from "../resource";
import { urisOf } from "./read";
import type { EpcisEvent, Names, Vocabulary } from "./types";

const PAGE = 50;
/** Most names the server takes at once. */
const NAMES = 2000;
/** Most requests for the names of one page: further names stay as they are written. */
const SLICES = 5;

export interface EventPage {
  items: EpcisEvent[];
  names: Names;
  /** Which of them are declared wrong. */
  wrong: ReadonlySet<string>;
  /** Where the next page begins, empty at the end. */
  next: string;
}

interface Answer {
  epcisBody: { queryResults: { resultsBody: { eventList: EpcisEvent[] } } };
}

let vocabulary: Promise<Vocabulary> | null = null;

/** The words of events; they are the same as long as the page is open. */
export function useVocabulary(): Resource<Vocabulary> {
  return useResource("vocabulary", () => {
    vocabulary ??= api.get<Vocabulary>("/epcis/vocabulary").catch((error: unknown) => {
      vocabulary = null;
      throw error;
    });
    return vocabulary;
  });
}

async function ask(query: Query, signal?: AbortSignal): Promise<{ items: EpcisEvent[]; next: string }> {
  const response = await request("GET", "/epcis/events", { query, ...(signal && { signal }) });
  const { epcisBody } = (await response.json()) as Answer;
  const following = /<[^>]*[?&]nextPageToken=([^&>]+)[^>]*>;\s*rel="next"/.exec(response.headers.get("Link") ?? "")?.[1] ?? "";
  return { items: epcisBody.queryResults.resultsBody.eventList, next: decodeURIComponent(following) };
}

/** What names mean, as far as the server tells: events without the names of records are better than none. */
export async function namesOf(uris: readonly string[], signal?: AbortSignal): Promise<Names> {
  const starts = Array.from({ length: Math.min(SLICES, Math.ceil(uris.length / NAMES)) }, (_, slice) => slice * NAMES);
  const found = starts.map((start) => api.post<{ names: Names }>("/epcis/names", { uris: uris.slice(start, start + NAMES) }, signal));
  return Object.assign({}, ...(await Promise.all(found.map((each) => each.then(({ names }) => names, () => ({}))))));
}

/** The declarations that name one of these events, by the ids of the events. */
async function declaredOf(ids: readonly string[], signal?: AbortSignal): Promise<EpcisEvent[]> {
  if (ids.length === 0) return [];
  return (await ask({ EQ_eventID: ids.join("|"), EXISTS_errorDeclaration: "true", perPage: ids.length }, signal)).items;
}

async function pageOf(query: Query, signal?: AbortSignal): Promise<EventPage> {
  const { items, next } = await ask({ ...query, perPage: PAGE }, signal);
  const ids = [...new Set(items.filter(({ errorDeclaration }) => !errorDeclaration).map(({ eventID }) => eventID))];
  const [names, declared] = await Promise.all([namesOf([...new Set(items.flatMap(urisOf))], signal), declaredOf(ids, signal)]);
  return { items, next, names, wrong: new Set(declared.map(({ eventID }) => eventID)) };
}

/** The first page by what is asked, the further ones as the reader comes near their end. */
export function useEvents(query: Record<string, string>): { page: Resource<EventPage>; more: () => void } {
  const failed = useFailed();
  const key = JSON.stringify(query);
  const page = useResource(key, (signal) => pageOf(query, signal));
  const { value, set } = page;
  const asking = useRef("");
  const more = useCallback(() => {
    if (!value?.next || asking.current === value.next) return;
    asking.current = value.next;
    pageOf({ ...(JSON.parse(key) as Query), nextPageToken: value.next })
      .then((found) =>
        set((before) => {
          // Another list may stand there by now.
          if (before?.next !== value.next) return before;
          return { items: [...before.items, ...found.items], next: found.next, names: { ...before.names, ...found.names }, wrong: new Set([...before.wrong, ...found.wrong]) };
        }),
      )
      .catch(failed)
      .finally(() => (asking.current = ""));
  }, [key, value, set, failed]);
  return { page, more };
}

export interface Whole {
  event: EpcisEvent;
  names: Names;
  /** Says that it is wrong. */
  declaration: EpcisEvent | null;
  /** Events declared wrong in whose place it stands. */
  corrects: EpcisEvent[];
}

/** One event with all that says something about it. */
export function useEvent(id: string | null): Resource<Whole> {
  return useResource(
    id,
    async (signal) => {
      const asked = id ?? "";
      const [event, [declaration = null], corrects] = await Promise.all([
        api.get<EpcisEvent>(`/epcis/events/${encodeURIComponent(asked)}`, {}, signal),
        declaredOf([asked], signal),
        ask({ EQ_correctiveEventID: asked }, signal),
      ]);
      return { event, declaration, corrects: corrects.items, names: await namesOf(urisOf(event), signal) };
    },
    true,
  );
}
