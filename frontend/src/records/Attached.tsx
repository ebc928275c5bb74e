import { type ReactNode, useState } from "react";
import { App, Button, Input } from "antd";
import { api, request, urlOf } from "../api";
import { PageState } from "../components/PageState";
import { FileButton } from "../connect/FileButton";
import { useFailed } from "../failed";
import { formatBytes } from "../format/number";
import { useResource } from "../resource";
import type { Detail, Kind } from "./types";
import { useTongue } from "./use-kind";

const UPLOAD_MS = 120_000;
const TEXT_MAX = 10_000;

interface Thing {
  id: string;
  by: string;
  /** Of another company that said it. */
  company?: string;
  mine: boolean;
  created_ms: number;
}
interface Comment extends Thing {
  text: string;
}
interface Attachment extends Thing {
  name: string;
  size: number;
}

/** What lies on a record beside its fields, and the ways to add to it and to take from it. */
function useThings<T extends Thing>(kind: Kind, record: Detail, what: string, from = "") {
  const failed = useFailed();
  const { t, zone } = useTongue();
  const { modal } = App.useApp();
  const path = `/records/${kind.kind}/${record.id}/${what}`;
  const things = useResource(`${path} ${from}`, (signal) => api.get<{ items: T[] }>(path, { from }, signal));
  const [busy, setBusy] = useState(false);
  const run = async (work: Promise<unknown>) => {
    setBusy(true);
    const done = await work.then(() => true, (error: unknown) => void failed(error));
    setBusy(false);
    things.reload();
    return done === true;
  };
  const remove = ({ id }: T, name: string) =>
    void modal.confirm({ title: t("removeSure", { name }), okText: t("remove"), cancelText: t("cancel"), autoFocusButton: "cancel", onOk: () => run(request("DELETE", `${path}/${id}`, { query: { from } })) });
  const about = (thing: T) => `${thing.by || (thing.company ? t("somebodyOf", { company: thing.company }) : t("somebody"))} · ${zone.full(thing.created_ms).slice(0, 16)}`;
  const list = (row: (thing: T) => ReactNode, none?: string) => (
    <PageState state={things} rows={2}>
      {({ items }) => (
        <ul className="ms-list">
          {items.map(row)}
          {none && items.length === 0 ? <li className="ms-third">{none}</li> : null}
        </ul>
      )}
    </PageState>
  );
  return { path, busy, run, remove, about, list };
}

/** What people say of a record, the oldest first. */
export function Comments({ kind, record, from }: { kind: Kind; record: Detail; from: string }) {
  const { t } = useTongue();
  const { path, busy, run, remove, about, list } = useThings<Comment>(kind, record, "comments", from);
  const [text, setText] = useState("");
  const add = async () => {
    if (text.trim() !== "" && (await run(request("POST", path, { query: { from }, body: { text: text.trim() } })))) setText("");
  };
  return (
    <div className="ms-stack ms-gap-top">
      {list((each) => (
        <li key={each.id} className="ms-pad">
          <p className="ms-row ms-caption ms-second"><span className="ms-grow ms-num">{about(each)}</span>{each.mine ? <Button size="small" type="text" onClick={() => remove(each, t("ownComment"))}>{t("remove")}</Button> : null}</p>
          <p className="ms-lines">{each.text}</p>
        </li>
      ))}
      <Input.TextArea rows={3} maxLength={TEXT_MAX} value={text} aria-label={t("comment")} placeholder={t("comment")} onChange={(event) => setText(event.target.value)} onKeyDown={(event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && void add()} />
      <span><Button type="primary" loading={busy} disabled={text.trim() === ""} onClick={() => void add()}>{t("addComment")}</Button></span>
    </div>
  );
}

/** The files on a record. They are downloaded, never shown or run here. */
export function Files({ kind, record, mayChange }: { kind: Kind; record: Detail; mayChange: boolean }) {
  const { t } = useTongue();
  const { path, busy, run, remove, about, list } = useThings<Attachment>(kind, record, "attachments");
  return (
    <div className="ms-stack ms-gap-top">
      {list((each) => (
        <li key={each.id} className="ms-row ms-wrap ms-pad">
          <a href={urlOf(`${path}/${each.id}`)} download={each.name} className="ms-grow">{each.name}</a>
          <span className="ms-third ms-caption ms-num">{formatBytes(each.size)} · {about(each)}</span>
          {mayChange ? <Button size="small" type="text" aria-label={t("removeSure", { name: each.name })} onClick={() => remove(each, each.name)}>{t("remove")}</Button> : null}
        </li>
      ), t("noFiles"))}
      {mayChange ? <span><FileButton accept="" busy={busy} onFile={(file) => void run(request("POST", path, { query: { name: file.name }, file, timeoutMs: UPLOAD_MS }))}>{t("addFile")}</FileButton></span> : null}
    </div>
  );
}
