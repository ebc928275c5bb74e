import { useState } from "react";
import { Link, type To, useNavigate, useSearchParams } from "react-router";
import { App, Button, Dropdown, type MenuProps, Tabs } from "antd";
import { api, request } from "../api";
import { RecordEvents } from "../events/RecordEvents";
import { useFailed } from "../failed";
import { beginPreview } from "../rights/preview";
import type { SharedBy } from "../rights/shared";
import { Uses } from "../rights/Uses";
import { WhoCan } from "../rights/WhoCan";
import { useSession } from "../session";
import { usePageKeys } from "../shell/keys";
import { useWords } from "../words";
import { rightsWords } from "../words/rights";
import { Comments, Files } from "./Attached";
import { fieldsOf, formFields, isEmpty, listFields } from "./fields";
import { History } from "./History";
import type { OnNew } from "./Linked";
import { Parts } from "./Parts";
import { useLabelSizes } from "./labels";
import { Related } from "./Related";
import { RecordState, ShownWhole } from "./Shown";
import type { Detail, Kind, Move, Titles } from "./types";
import { homeOf, nameOf, rightWord, useTongue } from "./use-kind";
import { type Tongue, wholeText } from "./value-text";

/** What events name, so that they can be asked for by it. */
const IN_EVENTS = new Set(["item", "lot"]);
const UNDO_S = 10;
const REMOVED_SEEN = 200;

interface DetailPartProps {
  kind: Kind;
  record: Detail;
  /** What the reader may do. */
  may: (doing: string) => boolean;
  /** The company that shows it; null: the own one. */
  shared: SharedBy | null;
  /** Counts what was changed on this page: what is linked is then asked for again. */
  round: number;
  /** The way back to the list as it was. */
  back: To;
  onEdit: () => void;
  /** Begin a record of a kind with something entered already. */
  onNew: OnNew;
  /** It was changed here: what is shown elsewhere is read again. */
  onChanged: () => void;
  onRemoved: () => void;
}

/** What a record holds; what is empty is asked for. */
function Facts({ kind, record, tongue }: { kind: Kind; record: Detail; tongue: Tongue }) {
  const { t, say } = tongue;
  const [whole, setWhole] = useState(false);
  const stamps = listFields(kind).filter(({ name }) => name === "changed_ms" || name === "created_ms");
  const fields = fieldsOf(kind).filter(({ name }) => name in record);
  const filled = fields.filter(({ name }) => !isEmpty(record[name]));
  const empty = fields.length - filled.length;
  return (
    <div className="ms-panel ms-panel-body ms-gap-top">
      <dl className="ms-facts ms-record-facts">
        {[...(whole ? fields : filled), ...stamps].map((field) => [
          <dt key={field.name}>{say(field.words)}</dt>,
          <dd key={`${field.name} value`}><ShownWhole field={field} value={record[field.name]} titles={record.titles} tongue={tongue} record={record} /></dd>,
        ])}
      </dl>
      {empty > 0 ? <Button type="link" size="small" className="ms-empty-fields" aria-expanded={whole} onClick={() => setWhole(!whole)}>{t(whole ? "hideEmpty" : "showEmpty", { n: empty })}</Button> : null}
    </div>
  );
}

/** Why something cannot be done now; each in a sentence, read without pointing at anything. */
function reasonsOf(kind: Kind, record: Detail, mayWrite: boolean, missing: (move: Move) => string[], { t, say }: Tongue): string[] {
  const reasons: string[] = [];
  if (!mayWrite) reasons.push(t("mayNot", { right: rightWord(kind.write, t) }));
  else if (kind.append_only) reasons.push(t("appendOnly"));
  else if (record.fixed) reasons.push(t("fixedNow", { state: say(kind.states[record.state]) }));
  for (const move of kind.moves.filter(({ name }) => record.moves.includes(name))) {
    const fields = missing(move);
    if (fields.length > 0) reasons.push(t("needsFirst", { step: say(move.words), fields: fields.join(", ") }));
  }
  return reasons;
}

/** One record: what it holds, what can be done with it, what is linked to it, what was done to it. */
export function DetailPart({ kind, record, may, shared, round, back, onEdit, onNew, onChanged, onRemoved }: DetailPartProps) {
  const tongue = useTongue();
  const { t, say } = tongue;
  const tRights = useWords(rightsWords);
  const { person } = useSession();
  const { message } = App.useApp();
  const navigate = useNavigate();
  const failed = useFailed();
  const [params, setParams] = useSearchParams();
  const [busy, setBusy] = useState("");
  const labels = useLabelSizes(kind.kind);
  const name = nameOf(kind, record, say, record.titles) || record.title;
  const mayWrite = may("change");
  const mayChange = mayWrite && !record.fixed && !kind.append_only;
  const administers = person.rights.includes("administer") && !shared;
  const missing = ({ needs }: Move) => fieldsOf(kind).filter((field) => needs.includes(field.name) && isEmpty(record[field.name])).map(({ words }) => say(words));
  const possible = kind.moves.filter((move) => record.moves.includes(move.name));
  const mayMove = (move: Move) => may(`move:${move.name}`) && missing(move).length === 0;
  const state = listFields(kind).find((field) => field.name === "state");
  const path = `/records/${kind.kind}/${record.id}`;
  const go = async (move: Move) => {
    setBusy(move.name);
    try {
      const moved = await api.post<Detail>(`${path}/moves/${move.name}`, { version: record.version });
      message.success(t("moved", { name, state: say(kind.states[moved.state]) }), 6);
    } catch (error) {
      failed(error);
    } finally {
      setBusy("");
      onChanged();
    }
  };
  const bringBack = async () => {
    const { items } = await api.get<{ items: { id: string; sequence: number }[] }>(`/records/${kind.kind}/removed`, { limit: REMOVED_SEEN });
    await api.post(`${path}/undo`, { sequence: items.find(({ id }) => id === record.id)?.sequence });
    message.destroy(record.id);
    void navigate(`${homeOf(kind.kind)}/${record.id}`);
  };
  // Removing is undone rather than asked about.
  const remove = () =>
    request("DELETE", path, { headers: { "If-Match": String(record.version) } }).then(() => {
      const back = <Button size="small" type="link" onClick={() => void bringBack().catch(failed)}>{t("undo")}</Button>;
      message.success({ key: record.id, content: <>{t("removed", { name })} {back}</>, duration: UNDO_S });
      onRemoved();
    }, failed);
  usePageKeys({ e: mayChange ? onEdit : null });
  const [next, ...others] = possible;
  const duplicate = () => onNew(kind, Object.fromEntries(formFields(kind).map((field) => [field.name, field.series === "" ? record[field.name] : null])));
  const deeds: MenuProps["items"] = [
    ...others.map((move) => ({ key: `move ${move.name}`, label: say(move.words), disabled: !mayMove(move), onClick: () => void go(move) })),
    ...(may("create") ? [{ key: "duplicate", label: t("duplicate"), onClick: duplicate }] : []),
    { key: "label", label: t("printLabels"), children: labels([record.id]) },
    ...(kind.append_only ? [] : [{ key: "remove", label: t("remove"), disabled: !may("remove") || record.fixed, onClick: () => void remove() }]),
  ];
  const reasons = shared ? [] : reasonsOf(kind, record, mayWrite, missing, tongue);
  const tabs = [
    {
      key: "details",
      label: t("details"),
      children: (
        <div className="ms-stack">
          <Facts kind={kind} record={record} tongue={tongue} />
          {shared ? null : <Parts kind={kind} record={record} round={round} mayChange={mayChange} onNew={onNew} />}
        </div>
      ),
    },
    ...(shared ? [] : [{ key: "related", label: t("related"), children: <Related key={round} kind={kind} record={record} onNew={onNew} /> }, { key: "history", label: t("history"), children: <History kind={kind} record={record} mayChange={mayWrite} onChanged={onChanged} /> }]),
    ...(IN_EVENTS.has(kind.kind) && !shared && person.rights.includes("view") ? [{ key: "events", label: t("events"), children: <RecordEvents id={record.id} /> }] : []),
    ...(kind.kind === "grant" ? [{ key: "uses", label: tRights("uses"), children: <Uses grant={record.id} /> }] : []),
    ...(may("comment") ? [{ key: "comments", label: t("comments"), children: <Comments kind={kind} record={record} from={shared?.key ?? ""} /> }] : []),
    ...(shared ? [] : [{ key: "files", label: t("files"), children: <Files kind={kind} record={record} mayChange={mayWrite} /> }]),
    ...(administers ? [{ key: "access", label: tRights("access"), children: <WhoCan kind={kind.kind} id={record.id} /> }] : []),
  ];
  const tab = tabs.find(({ key }) => key === params.get("tab"))?.key ?? "details";
  const turn = (key: string) => {
    const after = new URLSearchParams(params);
    after.set("tab", key);
    setParams(after, { replace: true });
  };
  return (
    <section className="ms-record" aria-label={name}>
      <nav className="ms-crumbs"><Link to={back}>{say(kind.many)}</Link></nav>
      <div className="ms-title">
        <h1 className="ms-record-name">{name}</h1>
        {state ? <RecordState field={state} value={record.state} tongue={tongue} /> : null}
        <span className="ms-grow" />
        {kind.kind === "role" ? <Button onClick={() => beginPreview({ role: String(record.code), name, place: "", placeName: "" })}>{tRights("look")}</Button> : null}
        {shared ? null : <Button disabled={!mayChange} onClick={onEdit}>{t("edit")}</Button>}
        {next ? <Button type="primary" className="ms-main-action" disabled={!mayMove(next)} loading={busy === next.name} onClick={() => void go(next)}>{say(next.words)}</Button> : null}
        {shared ? null : (
          <Dropdown trigger={["click"]} placement="bottomRight" menu={{ items: deeds }}>
            <Button aria-label={t("moreOf", { name })} aria-haspopup="menu">⋯</Button>
          </Dropdown>
        )}
      </div>
      <Subtitle kind={kind} record={record} tongue={tongue} titles={record.titles} />
      {reasons.map((reason) => <p key={reason} className="ms-third ms-caption">{reason}</p>)}
      <Tabs activeKey={tab} onChange={turn} items={tabs} destroyOnHidden />
    </section>
  );
}

/** What the record is called, where its title is a number. */
function Subtitle({ kind, record, tongue, titles }: { kind: Kind; record: Detail; tongue: Tongue; titles: Titles }) {
  const words = fieldsOf(kind).find((field) => field.control === "words" && field.name !== kind.title && kind.columns.includes(field.name));
  return words && !isEmpty(record[words.name]) ? <p className="ms-second">{wholeText(words, record[words.name], titles, tongue)}</p> : null;
}
