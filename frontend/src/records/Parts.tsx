import { Link } from "react-router";
import { Button } from "antd";
import { api } from "../api";
import { formatCount } from "../format/number";
import { useResource } from "../resource";
import { useMayOf } from "../rights/use-may";
import { type Field, isEmpty, listFields, usualColumns } from "./fields";
import { conditionText } from "./query";
import { Shown } from "./Shown";
import type { Detail, Kind, RowPage } from "./types";
import { askKind, homeOf, useTongue } from "./use-kind";
import { valueText } from "./value-text";

const SHOWN = 100;

interface PartsOf {
  kind: Kind;
  /** The field that leads to the whole. */
  field: string;
  page: RowPage;
}

async function partsOf(whole: Kind, id: string, signal: AbortSignal): Promise<PartsOf[]> {
  const asked = whole.linked_by.filter(({ part }) => part).map(async ({ kind: name, field }) => {
    const where = JSON.stringify([[field, "eq", id]]);
    const [kind, page] = await Promise.all([askKind(name), api.get<RowPage>(`/records/${name}`, { where, limit: SHOWN }, signal)]);
    return { kind, field, page };
  });
  const found = await Promise.allSettled(asked);
  return found.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
}

/** What is filled in somewhere: a column of nothing but dashes says nothing. */
function columnsOf({ kind, field, page }: PartsOf): Field[] {
  const fields = listFields(kind);
  const known = usualColumns(kind).filter((name) => name !== field).flatMap((name) => fields.find((each) => each.name === name) ?? []);
  return known.filter(({ name }, index) => index === 0 || page.items.some((row) => !isEmpty(row[name])));
}

/** What belongs to a record and goes with it, as lines to an order: a table for each kind. */
export function Parts({ kind: whole, record, round, mayChange, onNew }: { kind: Kind; record: Detail; round: number; mayChange: boolean; onNew: (kind: Kind, start: Record<string, unknown>) => void }) {
  const tongue = useTongue();
  const { t, say } = tongue;
  const parts = useResource(`${record.id} ${record.version} ${round}`, (signal) => partsOf(whole, record.id, signal), true);
  const may = useMayOf((parts.value ?? []).map((each) => each.kind));
  const table = (part: PartsOf) => {
    const { kind, field, page } = part;
    const columns = columnsOf(part);
    const mayAdd = mayChange && may(kind, "create");
    if (page.items.length === 0 && !mayAdd) return null;
    const end = ({ control }: Field) => (control === "exact" || control === "whole" ? "ms-num ms-grid-end" : undefined);
    const address = homeOf(kind.kind);
    return (
      <section key={kind.kind} className="ms-panel">
        <h2 className="ms-row ms-wrap">
          <Link to={`${address}?where=${encodeURIComponent(conditionText({ field, compare: "eq", value: record.id }))}`}>{say(kind.many)}</Link>
          <span className="ms-third ms-num ms-grow">{formatCount(page.total)}</span>
          {mayAdd ? <Button size="small" aria-label={t("newOne", { one: say(kind.one) })} onClick={() => onNew(kind, { [field]: record.id })}>{t("create")}</Button> : null}
        </h2>
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
