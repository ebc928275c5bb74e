import { useState } from "react";
import { NoPasskey } from "../account/passkey";
import { ApiError } from "../api";
import type { Words } from "../types";
import { useSay } from "../words";

/** A form that sends: whether it is under way, and what the server, or the device, refused; `wrong` tells it beside a field. */
export function useSending(): {
  busy: boolean;
  error: ApiError | NoPasskey | null;
  fields: Record<string, Words>;
  wrong: (name: string) => { validateStatus?: "error"; help?: string };
  run: (work: () => Promise<void>) => void;
} {
  const say = useSay();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | NoPasskey | null>(null);
  const run = (work: () => Promise<void>) => {
    setBusy(true);
    setError(null);
    work()
      .catch((reason: unknown) => {
        if (!(reason instanceof ApiError || reason instanceof NoPasskey)) throw reason;
        setError(reason);
      })
      .finally(() => setBusy(false));
  };
  const fields = error instanceof ApiError ? error.fields : {};
  const wrong = (name: string) => (fields[name] ? { validateStatus: "error" as const, help: say(fields[name]) } : {});
  return { busy, error, fields, wrong, run };
}

/** What the server said, for forms that ask no device. */
export const told = (error: ApiError | NoPasskey | null): Words | null => (error instanceof ApiError ? error.text : null);
