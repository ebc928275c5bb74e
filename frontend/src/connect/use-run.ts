/** An import that is worked on by the platform: its state, what is asked of it, and the focus through its steps. */

import { useEffect, useState } from "react";
import { api } from "../api";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useFocusOf } from "../shell/focus-back";
import { tasksChanged } from "../shell/tasks";

const EVERY_MS = 500;

/** The import at an address of the API, asked about twice a second while it is worked on. */
export function useRun<Run extends { stage: string }>(address: string, isWorking: (stage: Run["stage"]) => boolean) {
  const failed = useFailed();
  const state = useResource(address, (signal) => api.get<Run>(address, {}, signal), true);
  const [editing, setEditing] = useState(false);
  const work = useFocusOf<HTMLDivElement>(`${state.value?.stage} ${editing}`);
  const working = state.value !== undefined && isWorking(state.value.stage);
  const { reload, loading, set } = state;
  useEffect(() => {
    if (!working || loading) return;
    const timer = setTimeout(reload, EVERY_MS);
    return () => clearTimeout(timer);
  }, [working, loading, reload]);
  const act = async (path: string, body?: unknown) => {
    try {
      const next = await api.post<Run>(`${address}/${path}`, body);
      setEditing(false);
      set(() => next);
      reload();
      tasksChanged();
    } catch (error) {
      failed(error);
    }
  };
  return { state, act, editing, setEditing, work };
}
