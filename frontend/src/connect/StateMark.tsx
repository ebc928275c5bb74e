import { useWords } from "../words";
import { connectWords } from "../words/connect";
import type { ConnectionState } from "./types";

const MARKS: Record<ConnectionState, string> = { connected: "✓", connecting: "…", lost: "✕", rejected: "⊘", disabled: "–", unknown: "?" };

/** How a connection is: a mark and a word. */
export function StateMark({ state }: { state: ConnectionState }) {
  const t = useWords(connectWords);
  return (
    <span className="ms-connection-state" data-state={state}>
      <span aria-hidden="true" className="ms-connection-mark">
        {MARKS[state]}
      </span>
      {t(state)}
    </span>
  );
}
