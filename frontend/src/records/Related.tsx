import { Link } from "react-router";
import { Empty, PageState } from "../components/PageState";
import { useResource } from "../resource";
import { useMayOf } from "../rights/use-may";
import { listFields } from "./fields";
import { type Linked, LinkedHead, linkedTo, type OnNew } from "./Linked";
import { RecordState } from "./Shown";
import type { Detail, Kind } from "./types";
import { homeOf, nameOf, useTongue } from "./use-kind";

const SHOWN = 20;

/** The records that are linked to this one, by kind and by what the link means. */
export function Related({ kind, record, onNew }: { kind: Kind; record: Detail; onNew: OnNew }) {
  const tongue = useTongue();
  const { t, say } = tongue;
  const linked = useResource(`${kind.kind} ${record.id} ${record.version}`, async (signal) => {
    const found = await linkedTo(kind, record.id, false, SHOWN, signal);
    // What cannot be without this record is offered also where there is none yet.
    return found.filter(({ field, page }) => page.items.length > 0 || field.required);
  });
  const may = useMayOf((linked.value ?? []).map((each) => each.kind));
  const list = (each: Linked) => {
    const { kind: of, field, page } = each;
    const state = listFields(of).find(({ name }) => name === "state");
    return (
      <section key={`${of.kind} ${field.name}`} className="ms-panel">
        <LinkedHead linked={each} id={record.id} about={say(field.words)} onNew={may(of, "create") ? onNew : null} />
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
