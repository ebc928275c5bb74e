import { useWords } from "../words";
import { eventWords } from "../words/events";
import type { EpcisEvent } from "./types";

/** An event that counts for nothing any more, or says so of another. */
export function Mark({ event, wrong }: { event: EpcisEvent; wrong: boolean }) {
  const t = useWords(eventWords);
  if (!wrong && !event.errorDeclaration) return null;
  return <span className="ms-record-state">{t(event.errorDeclaration ? "isDeclaration" : "inError")}</span>;
}
