import { Link } from "react-router";
import { type Field, listFields } from "./fields";
import { conditionWords } from "./FilterField";
import { whereOf } from "./query";
import type { Row, Titles } from "./types";
import { useKind, wayTo } from "./use-kind";
import { type Tongue, valueText, wholeText } from "./value-text";

interface ShownProps {
  field: Field;
  value: unknown;
  titles: Titles;
  tongue: Tongue;
  /** What the value belongs to; left out where what it is counted in stands beside it. */
  record?: Row;
}

/** The state of a record: a box with its word, grey like all that is normal. */
export function RecordState({ field, value, tongue }: Omit<ShownProps, "titles">) {
  return <span className="ms-record-state">{valueText(field, value, {}, tongue)}</span>;
}

/** A value in a cell: numbers in figures of one width, links lead where they point. */
export function Shown({ field, value, titles, tongue, record }: ShownProps) {
  const text = valueText(field, value, titles, tongue, record);
  if (field.name === "state") return <RecordState field={field} value={value} tongue={tongue} />;
  const [kind, id] = field.control === "any" ? String(value ?? "").split(":") : field.control === "link" && value ? [field.target, String(value)] : [];
  const way = kind && id ? wayTo(kind, id) : null;
  if (way) return <Link to={way}>{text}</Link>;
  if (field.control === "exact" || field.control === "whole" || field.control === "moment" || field.control === "day") return <span className="ms-num">{text}</span>;
  return <>{text}</>;
}

/** Conditions on records of a kind, as its lists say them. */
function ShownConditions({ kind: name, value, tongue }: { kind: string; value: string; tongue: Tongue }) {
  const { value: kind } = useKind(name);
  const fields = kind ? listFields(kind) : [];
  const told = whereOf(value).flatMap((condition) => fields.filter((field) => field.name === condition.field).map((field) => conditionWords(field, condition, {}, tongue)));
  return <>{told.join("; ")}</>;
}

/** A value where there is room: both languages, every line, every row. */
export function ShownWhole({ field, value, titles, tongue, record }: ShownProps & { record: Row }) {
  const { say } = tongue;
  const [holds, of = ""] = field.holds.split(" ");
  if (holds === "conditions" && value) return <ShownConditions kind={String(record[of])} value={String(value)} tongue={tongue} />;
  if (field.control === "words") return <>{wholeText(field, value, titles, tongue)}</>;
  if (field.control === "notes") return <span className="ms-lines">{typeof value === "string" && value !== "" ? value : "–"}</span>;
  if (field.control !== "rows" || !Array.isArray(value) || value.length === 0) return <Shown field={field} value={value} titles={titles} tongue={tongue} record={record} />;
  return (
    <div className="ms-scroll" tabIndex={0} role="group" aria-label={say(field.words)}>
      <table className="ms-table">
        <thead>
          <tr>{field.row.map(({ name, words }) => <th key={name} scope="col">{say(words)}</th>)}</tr>
        </thead>
        <tbody>
          {(value as Record<string, unknown>[]).map((row, index) => (
            <tr key={index}>
              {field.row.map((cell) => (
                <td key={cell.name}><Shown field={cell} value={row[cell.name]} titles={titles} tongue={tongue} /></td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
