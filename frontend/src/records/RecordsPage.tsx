import { useEffect, useState } from "react";
import { useNavigate, useParams, useSearchParams } from "react-router";
import { api } from "../api";
import { Failure, Loading, PageState } from "../components/PageState";
import { useWide } from "../media";
import { useResource } from "../resource";
import { SharedLine } from "../rights/SharedLine";
import { useShared } from "../rights/shared";
import { useMay } from "../rights/use-may";
import { useSay, useWords } from "../words";
import { recordWords } from "../words/records";
import { DetailPart } from "./DetailPart";
import { ListPart, useAsked } from "./ListPart";
import { RecordForm } from "./RecordForm";
import type { Detail, Kind, Row } from "./types";
import { homeOf, useKind } from "./use-kind";
import { useList } from "./use-list";
import "./records.css";

type Form = { kind: Kind; record: Detail | null; start?: Record<string, unknown> } | null;

/** The list of a kind, and one of its records: side by side where there is room, else one after the other. `within` another page, it has no title. */
export function OfKind({ kind, id, within = false }: { kind: Kind; id: string | null; within?: boolean }) {
  const say = useSay();
  const navigate = useNavigate();
  const [params] = useSearchParams();
  const wide = useWide();
  const [form, setForm] = useState<Form>(null);
  const [round, setRound] = useState(0);
  const [asked, put] = useAsked(kind);
  // Whoever comes by the address of a record has no list to go back to: it is read when it is seen.
  const [listed, setListed] = useState(id === null || wide);
  if (!listed && (id === null || wide)) setListed(true);
  const shared = useShared(kind.kind);
  const from = shared?.key ?? "";
  const may = useMay(kind, shared);
  const address = homeOf(kind.kind);
  const list = useList(kind.kind, asked, listed, from);
  const detail = useResource(id === null ? null : `${from} ${id}`, (signal) => api.get<Detail>(`/records/${kind.kind}/${id ?? ""}`, { from }, signal), true);
  // The list stays as it was, behind a record and beside it.
  const kept = new URLSearchParams(params);
  kept.delete("tab");
  const at = (pathname: string) => ({ pathname, search: kept.toString() });
  const open = (row: Row) => void navigate(at(`${address}/${row.id}`));
  const { set } = list.page;
  const { value } = detail;
  // The list follows what happens to the record, and keeps its place.
  useEffect(() => {
    if (value) set((page) => page && { ...page, items: page.items.map((row) => (row.id === value.id ? value : row)), titles: { ...page.titles, ...value.titles } });
  }, [value, set]);
  const reload = () => {
    setRound(round + 1);
    detail.reload();
  };
  const saved = (row: Row) => {
    reload();
    if (form?.record || form?.kind !== kind) return;
    // What was made beside another record, of another kind, is linked to it and shown there.
    list.page.reload();
    open(row);
  };
  const removed = (gone: Row) => {
    set((page) => page && { ...page, items: page.items.filter(({ id: each }) => each !== gone.id), total: page.total - 1 });
    void navigate(at(address), { replace: true });
  };
  return (
    <div className={within ? "ms-records-within" : "ms-page ms-page-full"}>
      {within ? null : id === null ? <h1>{say(kind.many)}</h1> : wide || !value ? <p className="ms-page-name">{say(kind.many)}</p> : null}
      {shared ? <SharedLine shared={shared} /> : null}
      <div className="ms-beside">
        {listed ? (
          <div className="ms-beside-list" hidden={id !== null && !wide}>
            <ListPart kind={kind} may={may} from={from} list={list} asked={asked} put={put} chosen={id !== null && wide ? id : null} onOpen={open} onNew={() => setForm({ kind, record: null })} />
          </div>
        ) : null}
        {id === null ? null : (
          <div className="ms-beside-record">
            {value || !detail.error ? null : <h1>{say(kind.one)}</h1>}
            <PageState state={detail} rows={8}>
              {(record) => (
                <DetailPart
                  key={record.id}
                  kind={kind}
                  record={record}
                  may={may}
                  shared={shared}
                  round={round}
                  back={at(address)}
                  onEdit={() => setForm({ kind, record })}
                  onNew={(of, start) => setForm({ kind: of, record: null, start })}
                  onChanged={reload}
                  onRemoved={() => removed(record)}
                />
              )}
            </PageState>
          </div>
        )}
      </div>
      {form ? <RecordForm kind={form.kind} record={form.record} {...(form.start && { start: form.start })} onClose={() => setForm(null)} onSaved={saved} /> : null}
    </div>
  );
}

/** Lists and records of every kind, drawn from what the kind says of itself. */
export default function RecordsPage() {
  const { kind: name = "", id = null } = useParams();
  const t = useWords(recordWords);
  const { value: kind, error, reload } = useKind(name);
  if (kind) return <OfKind key={kind.kind} kind={kind} id={id} />;
  if (!error) return <Loading rows={10} />;
  return (
    <div className="ms-page">
      <h1>{t("records")}</h1>
      <Failure error={error} onRetry={reload} />
    </div>
  );
}
