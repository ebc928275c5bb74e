import type { Column } from "../components/Grid";
import { type Field, isEmpty, sorts } from "./fields";
import { nextSort } from "./query";
import { Shown } from "./Shown";
import type { Row, Titles } from "./types";
import type { Tongue } from "./value-text";

const WIDTHS: Partial<Record<Field["control"], string>> = {
  words: "minmax(160px, 2fr)",
  notes: "minmax(160px, 2fr)",
  text: "minmax(160px, 2fr)",
  choice: "minmax(136px, 0.8fr)",
  exact: "minmax(88px, 0.7fr)",
  whole: "minmax(88px, 0.7fr)",
  link: "minmax(140px, 1.5fr)",
  any: "minmax(140px, 1.5fr)",
  yes: "90px",
  day: "116px",
  moment: "150px",
  unit: "90px",
};

interface Told {
  /** The columns shown, as they come. */
  fields: readonly Field[];
  title: string;
  titles: Titles;
  tongue: Tongue;
}

/** The columns of a list of records: heads that sort, cells by the kind of value. */
export function columnsOf({ fields, title, titles, sort, onSort, tongue }: Told & { sort: string; onSort: (sort: string) => void }): Column<Row>[] {
  const { t, say } = tongue;
  return fields.map((field) => {
    const name = say(field.words);
    const way = sort === field.name ? "ascending" : sort === `-${field.name}` ? "descending" : undefined;
    const head = (
      <button type="button" className="ms-plain ms-sort" title={t("sortBy", { field: name })} onClick={() => onSort(nextSort(sort, field.name))}>
        {name}
        <span aria-hidden="true">{way === undefined ? "" : way === "ascending" ? " ▲" : " ▼"}</span>
      </button>
    );
    return {
      key: field.name,
      title: sorts(field) ? head : name,
      sort: way,
      width: WIDTHS[field.control] ?? "minmax(110px, 1fr)",
      end: field.control === "exact" || field.control === "whole",
      cell: (row) => {
        const beside = fields.some(({ name }) => name === field.unitIn);
        const shown = <Shown field={field} value={row[field.name]} titles={titles} tongue={tongue} {...(!beside && { record: row })} />;
        return field.name === title ? <span className="ms-bold">{shown}</span> : shown;
      },
    };
  });
}

const BELOW = 2;
/** Which fields say most of a record, the best first. */
const TELLING: readonly Field["control"][] = ["words", "text", "choice", "link", "any", "exact", "moment", "day"];

/** On a phone: the name and the state, two fields below that are filled in. */
export function PhoneRow({ row, fields, title, titles, tongue }: Told & { row: Row }) {
  const state = fields.find(({ name }) => name === "state");
  const rank = ({ control }: Field) => TELLING.indexOf(control) + 1 || TELLING.length + 1;
  const telling = fields.filter((field) => field !== state && field.control !== "yes" && !isEmpty(row[field.name])).sort((one, other) => rank(one) - rank(other));
  // The place of a line among others names nothing: then it is called by what says most of it.
  const first = fields.find(({ name, control }) => name === title && control !== "whole" && control !== "exact") ?? telling[0] ?? fields[0];
  const below = telling.filter((field) => field !== first).slice(0, BELOW);
  return (
    <>
      <span className="ms-row">
        <span className="ms-bold ms-cut ms-grow">{first ? <Shown field={first} value={row[first.name]} titles={titles} tongue={tongue} /> : null}</span>
        {state ? <Shown field={state} value={row.state} titles={titles} tongue={tongue} /> : null}
      </span>
      <span className="ms-second ms-caption ms-cut">
        {below.map((field, index) => (
          <span key={field.name}>
            {index > 0 ? " · " : ""}
            <Shown field={field} value={row[field.name]} titles={titles} tongue={tongue} record={row} />
          </span>
        ))}
      </span>
    </>
  );
}
