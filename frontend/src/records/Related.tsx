import { Link } from "react-router";
import { Button } from "antd";
import { api } from "../api";
import { Empty, PageState } from "../components/PageState";
import { formatCount } from "../format/number";
import { useResource } from "../resource";
import { useMayOf } from "../rights/use-may";
import { type Field, fieldsOf, listFields } from "./fields";
import { conditionText } from "./query";
import { RecordState } from "./Shown";
import type { Detail, Kind, RowPage } from "./types";
import { askKind, homeOf, nameOf, useTongue } from "./use-kind";

const SHOWN = 20;

interface Linked {
  kind: Kind;
  field: Field;
  page: RowPage;
}

/** Everything that links to a record: one question for each field that may. What cannot be without it is asked for, too, where there is none yet. */
async function linkedTo(target: Kind, id: string, signal: AbortSignal): Promise<Linked[]> {
  const found = await Promise.all(target.linked_by.filter(({ part }) => !part).map(async ({ kind, field }) => [await askKind(kind), field] as const));
  const ways = found.flatMap(([kind, name]) => fieldsOf(kind).filter((field) => field.name === name).map((field) => ({ kind, field })));
  const pages = await Promise.all(
    ways.map(({ kind, field }) => api.get<RowPage>(`/records/${kind.kind}`, { where: JSON.stringify([[field.name, "eq", id]]), limit: SHOWN }, signal).catch(() => null)),
  );
  return ways.flatMap((way, index) => {
    const page = pages[index];
    return page && (page.items.length > 0 || way.field.required) ? [{ ...way, page }] : [];
  });
}

/** The records that are linked to this one, by kind and by what the link means. */
export function Related({ kind, record, onNew }: { kind: Kind; record: Detail; onNew: (kind: Kind, start: Record<string, unknown>) => void }) {
  const tongue = useTongue();
  const { t, say } = tongue;
  const linked = useResource(`${kind.kind} ${record.id} ${record.version}`, (signal) => linkedTo(kind, record.id, signal));
  const may = useMayOf((linked.value ?? []).map((each) => each.kind));
  const list = ({ kind: of, field, page }: Linked) => {
    const state = listFields(of).find(({ name }) => name === "state");
    return (
      <section key={`${of.kind} ${field.name}`} className="ms-panel">
        <h2 className="ms-row ms-wrap">
          <Link to={`${homeOf(of.kind)}?where=${encodeURIComponent(conditionText({ field: field.name, compare: "eq", value: record.id }))}`}>{say(of.many)}</Link>
          <span className="ms-third ms-num">{formatCount(page.total)}</span>
          <span className="ms-third ms-caption ms-grow">{say(field.words)}</span>
          {may(of, "create") ? <Button size="small" aria-label={t("newOne", { one: say(of.one) })} onClick={() => onNew(of, { [field.name]: record.id })}>{t("create")}</Button> : null}
        </h2>
        <ul className="ms-list">
          {page.items.map((row) => (
            <li key={row.id} className="ms-row ms-kind">
              <Link className="ms-grow" to={`${homeOf(of.kind)}/${row.id}`}>{nameOf(of, row, say, page.titles) || row.id}</Link>
              {state ? <RecordState field={state} value={row.state} tongue={tongue} /> : null}
            </li>
          ))}
        </ul>
      </section>
    );
  };
  return (
    <PageState state={linked} rows={4}>{(found) => (found.length === 0 ? <Empty title={t("noRelated")} /> : <div className="ms-stack ms-gap-top">{found.map(list)}</div>)}</PageState>
  );
}
