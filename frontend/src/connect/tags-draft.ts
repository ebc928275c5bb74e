/** The rows of new tags and where they go; kept by the wizard so that Back loses nothing. */

import type { ChosenAsset } from "./AssetSelect";
import { emptyRow, isBlank, type Naming, PLAIN_RULE, type RowFault, type SheetRow } from "./rows";
import type { BulkOutcome } from "./types";

export interface TagsDraft {
  asset: ChosenAsset | null;
  rows: readonly SheetRow[];
  faults: readonly RowFault[];
  rule: string;
  create: boolean;
}

export const noTags = (): TagsDraft => ({ asset: null, rows: [emptyRow()], faults: [], rule: PLAIN_RULE, create: false });
export const filled = (rows: readonly SheetRow[]): SheetRow[] => rows.filter((row) => !isBlank(row));
export const namingOf = ({ asset, rule, create }: TagsDraft): Naming => ({ base: asset?.path ?? "", rule, create });
/** A rule that names no folder needs an asset to hang the tags on. */
export const needsAsset = ({ rule }: TagsDraft): boolean => !rule.includes("/");

/** Put the faults an import tells by row number beside their rows. */
export function faultsByRow(sent: readonly SheetRow[], { refused }: BulkOutcome): RowFault[] {
  return refused.flatMap(({ row, field, text }) => {
    const found = sent[row];
    return found ? [{ rowKey: found.key, field, text }] : [];
  });
}
