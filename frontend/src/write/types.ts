import type { LiveNumber } from "../live/store";
import type { SampleKind, Words } from "../types";

export interface Requires {
  reason: boolean;
  password: boolean;
  second_person: boolean;
  hold: boolean;
}

/** A selected tag as it stood when it was selected. */
export interface Selected {
  id: string;
  tag: number;
  name: string;
  description: Words | null;
  kind: SampleKind;
  unit_sign: string;
  low: number | null;
  high: number | null;
  decimals: number | null;
  words: Record<string, Words> | null;
  value: LiveNumber;
  requires: Requires;
}
export interface Selection {
  selection: string;
  expires_ms: number;
  now_ms: number;
  items: Selected[];
}
export interface Refusal {
  tag: number;
  refusal: Words | null;
}

export type Outcome = "done" | "refused" | "expired" | "not-confirmed";
export interface ItemOutcome {
  tag: number;
  outcome: Outcome;
  read_back: LiveNumber | boolean;
  text: Words | null;
  sent_ms: number | null;
  accepted_ms: number | null;
  read_back_ms: number | null;
}
export interface CommandResult {
  id: string;
  items: ItemOutcome[];
}

/** A command of the list; its items carry how their tags are called and shown. */
export interface CommandItem {
  tag: number;
  value: LiveNumber | boolean;
  before?: LiveNumber;
  tag_name?: string;
  unit_sign?: string;
  decimals?: number | null;
  words?: Record<string, Words> | null;
}
export interface Command {
  id: string;
  by: string;
  second: string | null;
  authority: string;
  items: CommandItem[];
  issued_ms: number;
  outcome: ItemOutcome[] | null;
}
