import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api } from "../api";
import { type Resource, useResource } from "../resource";
import type { Page, Words } from "../types";
import { useSay } from "../words";
import { brokenFirst, inOrder } from "./order";
import type { Connection, Driver, Gateway } from "./types";

const EVERY_MS = 2000;
const LIMIT = 1000;

/** Reload every two seconds while the tab is seen; what is shown stays until the answer is here. */
function usePolling(reload: () => void, loading: boolean): void {
  const busy = useRef(loading);
  useEffect(() => {
    busy.current = loading;
  }, [loading]);
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden && !busy.current) reload();
    }, EVERY_MS);
    return () => clearInterval(timer);
  }, [reload]);
}

export interface ConnectionList {
  state: Resource<Page<Connection>>;
  /** In the order they were first shown in. */
  rows: readonly Connection[];
  /** Whether another order would now put the broken ones first. */
  outOfOrder: boolean;
  sortAgain: () => void;
}

/** All connections with their health, renewed every two seconds without moving a row. */
export function useConnections(): ConnectionList {
  const state = useResource("connections", (signal) => api.get<Page<Connection>>("/connections", { limit: LIMIT }, signal));
  const [order, setOrder] = useState<readonly string[] | null>(null);
  usePolling(state.reload, state.loading);
  const items = state.value?.items;
  useEffect(() => {
    if (order === null && items) setOrder(brokenFirst(items).map(({ id }) => id));
  }, [order, items]);
  const rows = useMemo(() => inOrder(items ?? [], order ?? []), [items, order]);
  const best = useMemo(() => brokenFirst(items ?? []), [items]);
  const outOfOrder = best.some(({ id }, index) => rows[index]?.id !== id);
  const sortAgain = useCallback(() => setOrder(best.map(({ id }) => id)), [best]);
  return { state, rows, outOfOrder, sortAgain };
}

/** One connection with its health, renewed every two seconds. */
export function useConnection(id: string): Resource<Connection> {
  const state = useResource(id, (signal) => api.get<Connection>(`/connections/${id}`, {}, signal), true);
  usePolling(state.reload, state.loading);
  return state;
}

export function useDrivers(): Resource<readonly Driver[]> {
  return useResource<readonly Driver[]>("drivers", async (signal) => (await api.get<Page<Driver>>("/drivers", {}, signal)).items);
}

export function useGateways(): Resource<readonly Gateway[]> {
  return useResource<readonly Gateway[]>("gateways", (signal) => api.get<Gateway[]>("/gateways", {}, signal));
}

/** The title of a driver in the reader's language; its name where it is not installed here. */
export function useDriverTitle(drivers: readonly Driver[] | undefined): (name: string) => string {
  const say = useSay();
  return useCallback((name) => say(drivers?.find((driver) => driver.name === name)?.title as Words | undefined) || name, [drivers, say]);
}
