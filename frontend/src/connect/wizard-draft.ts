/** What was entered in the wizard, kept in this browser until it is saved or discarded; secrets are never kept. */

import type { Field } from "./schema";
import { noTags, type TagsDraft } from "./tags-draft";
import type { Connection, Settings } from "./types";
import { emptyRow } from "./rows";

export interface WizardDraft {
  saved_ms: number;
  /** The connection as it was when the change began: what others changed since is asked about, not overwritten. */
  base: Connection | null;
  step: string;
  reached: number;
  driver: string;
  settings: Settings;
  gateway: string;
  name: string;
  enabled: boolean;
  tags: TagsDraft;
}

const keyOf = (user: string, connection: string | null) => `ms-connect-${user}-${connection ?? "new"}`;

export function readDraft(user: string, connection: string | null): WizardDraft | null {
  try {
    const found = localStorage.getItem(keyOf(user, connection));
    if (found === null) return null;
    const draft = JSON.parse(found) as WizardDraft;
    const rows = draft.tags.rows.map((row) => ({ ...row, key: emptyRow().key }));
    return { ...draft, tags: { ...noTags(), ...draft.tags, rows: rows.length > 0 ? rows : [emptyRow()], faults: [] } };
  } catch {
    return null;
  }
}

/** Keep a draft; ten thousand rows may be more than the browser holds, then all but they are kept. */
export function keepDraft(user: string, connection: string | null, draft: WizardDraft, fields: readonly Field[]): void {
  const secret = new Set(fields.filter(({ kind }) => kind === "secret").map(({ key }) => key));
  const settings = Object.fromEntries(Object.entries(draft.settings).filter(([key]) => !secret.has(key)));
  const kept = { ...draft, settings };
  for (const tags of [draft.tags, { ...draft.tags, rows: [] }]) {
    try {
      localStorage.setItem(keyOf(user, connection), JSON.stringify({ ...kept, tags }));
      return;
    } catch {
      // The browser is full: tried once more without the rows.
    }
  }
}

export function dropDraft(user: string, connection: string | null): void {
  try {
    localStorage.removeItem(keyOf(user, connection));
  } catch {
    // A browser that keeps nothing has nothing to drop.
  }
}
