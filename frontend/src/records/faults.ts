/** What the server found wrong, beside the field a reader sees: a row's fault names row and cell. */

import type { Words } from "../types";
import { fill } from "../words/format";
import { recordWords } from "../words/records";
import type { Field } from "./fields";

export function placed(faults: Readonly<Record<string, Words>>, fields: readonly Field[]): Record<string, Words> {
  const found: Record<string, Words> = {};
  for (const [path, text] of Object.entries(faults)) {
    const [name = "", row, cell] = path.split(".");
    const field = fields.find((each) => each.name === name);
    const inner = field?.row.find((each) => each.name === cell);
    const told = (language: "en" | "zh") => (row !== undefined && inner ? fill(recordWords.rowFault[language], { n: Number(row) + 1, field: inner.words[language], text: text[language] }) : text[language]);
    const key = field ? name : path;
    const before = found[key];
    const next = { en: told("en"), zh: told("zh") };
    found[key] = before ? { en: `${before.en} ${next.en}`, zh: `${before.zh}${next.zh}` } : next;
  }
  return found;
}
