import { Link } from "react-router";
import { useResource } from "../resource";
import { useMayOf } from "../rights/use-may";
import { type Field, isEmpty, listFields, usualColumns } from "./fields";
import { type Linked, LinkedHead, linkedTo, type OnNew } from "./Linked";
import { Shown } from "./Shown";
import type { Detail, Kind } from "./types";
import { homeOf, useTongue } from "./use-kind";
import { valueText } from "./value-text";

const SHOWN = 100;

/** What is filled in somewhere: a column of nothing but dashes says nothing. */
function columnsOf({ kind, field, page }: Linked): Field[] {
  const fields = listFields(kind);
  const known = usualColumns(kind).filter((name) => name !== field.name).flatMap((name) => fields.find((each) => each.name === name) ?? []);
  return known.filter(({ name }, index) => index === 0 || page.items.some((row) => !isEmpty(row[name])));
}

/** What belongs to a record and goes with it, as lines to an order: a table for each kind. */
export function Parts({ kind: whole, record, round, mayChange, onNew }: { kind: Kind; record: Detail; round: number; mayChange: boolean; onNew: OnNew }) {
  const tongue = useTongue();
  const { say } = tongue;
  const parts = useResource(`${record.id} ${record.version} ${round}`, (signal) => linkedTo(whole, record.id, true, SHOWN, signal), true);
  const may = useMayOf((parts.value ?? []).map((each) => each.kind));
  const table = (part: Linked) => {
    const { kind, page } = part;
    const columns = columnsOf(part);
    const mayAdd = mayChange && may(kind, "create");
    if (page.items.length === 0 && !mayAdd) return null;
    const end = ({ control }: Field) => (control === "exact" || control === "whole" ? "ms-num ms-grid-end" : undefined);
    const address = homeOf(kind.kind);
    return (
      <section key={kind.kind} className="ms-panel">
        <LinkedHead linked={part} id={record.id} onNew={mayAdd ? onNew : null} />
        {page.items.length === 0 ? null : (
          <div className="ms-scroll" tabIndex={0} role="group" aria-label={say(kind.many)}>
            <table className="ms-table">
              <thead>
                <tr>{columns.map((each) => <th key={each.name} scope="col" className={end(each)}>{say(each.words)}</th>)}</tr>
              </thead>
              <tbody>
                {page.items.map((row) => (
                  <tr key={row.id}>
                    {columns.map((each, index) => (
                      <td key={each.name} className={end(each)}>
                        {index === 0 ? <Link to={`${address}/${row.id}`}>{valueText(each, row[each.name], page.titles, tongue)}</Link> : <Shown field={each} value={row[each.name]} titles={page.titles} tongue={tongue} {...(!columns.some(({ name }) => name === each.unitIn) && { record: row })} />}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </section>
    );
  };
  return <>{parts.value?.map(table)}</>;
}
