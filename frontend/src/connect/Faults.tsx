import { Alert } from "antd";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { type RowFault, type SheetColumn, type SheetRow, shortTitle } from "./rows";

const FAULTS_SHOWN = 50;

/** What is wrong, row by row, above the sheet that marks the cells. */
export function Faults({ rows, columns, faults }: { rows: readonly SheetRow[]; columns: readonly SheetColumn[]; faults: readonly RowFault[] }) {
  const t = useWords(connectWords);
  const say = useSay();
  const numbers = new Map(rows.map(({ key }, index) => [key, index + 1]));
  const wrong = new Set(faults.map(({ rowKey }) => rowKey)).size;
  const named = (field: string) => {
    const column = columns.find(({ key }) => key === field);
    return column ? shortTitle(say(column.title)) : field === "address" ? t("address") : field === "asset" ? t("assetColumn") : field || t("wholeRow");
  };
  return (
    <Alert
      type="error"
      role="alert"
      title={t("checkBad", { n: faults.length, rows: wrong })}
      description={
        <ul className="ms-fault-list">
          {faults.slice(0, FAULTS_SHOWN).map(({ rowKey, field, text }, index) => (
            <li key={index}>{t("rowFault", { row: numbers.get(rowKey) ?? 0, field: named(field), text: say(text) })}</li>
          ))}
          {faults.length > FAULTS_SHOWN ? <li>…</li> : null}
        </ul>
      }
    />
  );
}
