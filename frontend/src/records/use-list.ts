/** The rows of a list: the first page by what is asked, the further ones as the reader comes near their end. */

import { useCallback, useRef } from "react";
import { api } from "../api";
import { useFailed } from "../failed";
import { type Resource, useResource } from "../resource";
import { type Asked, isFiltered, toQuery } from "./query";
import type { RowPage } from "./types";

const PAGE = 100;

export interface List {
  page: Resource<RowPage>;
  more: () => void;
  /** How many there are without filter; only asked for where the filter leaves nothing. */
  whole: number;
}

/** `from`: of the company that granted them, by its key; empty: the own ones. */
export function useList(kind: string, asked: Asked, wanted: boolean, from: string): List {
  const failed = useFailed();
  const query = { ...toQuery(asked), from };
  const address = `/records/${kind}`;
  const key = JSON.stringify([address, query]);
  const page = useResource(wanted ? key : null, (signal) => api.get<RowPage>(address, { ...query, limit: PAGE }, signal));
  const { value, set } = page;
  const asking = useRef("");
  const more = useCallback(() => {
    if (!value?.next || asking.current === value.next) return;
    asking.current = value.next;
    const [path, wanted] = JSON.parse(key) as [string, Record<string, string>];
    api
      .get<RowPage>(path, { ...wanted, after: value.next, limit: PAGE })
      .then((found) =>
        set((before) => {
          // Another list may stand there by now.
          if (before?.next !== value.next) return before;
          const known = new Set(before.items.map(({ id }) => id));
          const items = [...before.items, ...found.items.filter(({ id }) => !known.has(id))];
          return { ...before, items, next: found.next, titles: { ...before.titles, ...found.titles } };
        }),
      )
      .catch(failed)
      .finally(() => (asking.current = ""));
  }, [key, value, set, failed]);
  const none = isFiltered(asked) && value?.items.length === 0;
  const whole = useResource(none ? `${from} ${address}` : null, (signal) => api.get<RowPage>(address, { limit: 1, from }, signal), true);
  return { page, more, whole: whole.value?.total ?? 0 };
}
