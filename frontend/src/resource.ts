import { useCallback, useEffect, useRef, useState } from "react";
import type { Loaded } from "./components/PageState";

export interface Resource<T> extends Loaded<T> {
  loading: boolean;
  /** Put a known newer value in place without asking. */
  set: (change: (value: T | undefined) => T | undefined) => void;
}

/**
 * Load something and load it again when `key` changes; the old value stays until the new one is here.
 * `null` as key loads nothing. With `fresh`, a changed key is another thing and the old value goes at once.
 */
export function useResource<T>(key: string | null, load: (signal: AbortSignal) => Promise<T>, fresh = false): Resource<T> {
  const [state, setState] = useState<{ key: string | null; value: T | undefined; error: unknown; loading: boolean }>({
    key,
    value: undefined,
    error: null,
    loading: key !== null,
  });
  const [round, setRound] = useState(0);
  const loader = useRef(load);
  useEffect(() => {
    loader.current = load;
  });
  useEffect(() => {
    if (key === null) return;
    const abort = new AbortController();
    setState((before) => ({ ...before, key, loading: true, value: fresh && before.key !== key ? undefined : before.value }));
    loader.current(abort.signal).then(
      (value) => !abort.signal.aborted && setState({ key, value, error: null, loading: false }),
      (error: unknown) => !abort.signal.aborted && setState((before) => ({ ...before, error, loading: false })),
    );
    return () => abort.abort();
  }, [key, round, fresh]);
  const reload = useCallback(() => setRound((count) => count + 1), []);
  const set = useCallback(
    (change: (value: T | undefined) => T | undefined) => setState((before) => ({ ...before, value: change(before.value) })),
    [],
  );
  const outdated = fresh && state.key !== key;
  return { value: outdated ? undefined : state.value, error: outdated ? null : state.error, loading: state.loading, reload, set };
}
