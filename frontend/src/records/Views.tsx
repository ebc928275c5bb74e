import { useState } from "react";
import { App, Button, Checkbox, Input, Modal } from "antd";
import { api } from "../api";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSession } from "../session";
import { focusOnceShown } from "../shell/focus-back";
import { type Asked, toQuery, whereOf } from "./query";
import type { Kind } from "./types";
import { useTongue } from "./use-kind";

interface View {
  id: string;
  name: string;
  query: { where: string; search: string; sort: string; columns: string };
  shared: boolean;
  mine: boolean;
}
const NOTHING: Asked = { search: "", sort: "", where: [], columns: [] };

const queryOf = (asked: Asked): View["query"] => ({ ...toQuery(asked), columns: asked.columns.join(",") });

const askedOf = ({ where, search, sort, columns }: View["query"]): Asked => ({ search, sort, where: whereOf(where), columns: columns === "" ? [] : columns.split(",") });

const same = (one: View["query"], other: View["query"]) => (["where", "search", "sort", "columns"] as const).every((name) => one[name] === other[name]);

/** Lists somebody saved under a name: one press brings filter, order and columns back. */
export function Views({ kind, asked, put }: { kind: Kind; asked: Asked; put: (change: Partial<Asked>) => void }) {
  const { t } = useTongue();
  const { may } = useSession();
  const { modal } = App.useApp();
  const failed = useFailed();
  const [name, setName] = useState<string | null>(null);
  const [shared, setShared] = useState(false);
  const path = `/records/${kind.kind}/views`;
  const views = useResource(path, (signal) => api.get<{ items: View[] }>(path, {}, signal));
  const items = views.value?.items ?? [];
  const present = queryOf(asked);
  const here = items.find(({ query }) => same(query, present));
  const isWhole = same(present, queryOf(NOTHING));
  if (items.length === 0 && isWhole) return null;
  const save = () => api.post(path, { name: name?.trim(), query: present, shared }).then(() => setName(null), failed).finally(views.reload);
  const forget = (view: View) =>
    void modal.confirm({ title: t("removeSure", { name: view.name }), okText: t("remove"), cancelText: t("cancel"), autoFocusButton: "cancel", onOk: () => api.delete(`${path}/${view.id}`).catch(failed).finally(views.reload) });
  const tab = (key: string, label: string, on: boolean, press: () => void) => <Button key={key} size="small" type={on ? "default" : "text"} aria-pressed={on} onClick={press}>{label}</Button>;
  return (
    <div className="ms-row ms-wrap" role="group" aria-label={t("views")}>
      {tab("all", t("all"), isWhole, () => put(NOTHING))}
      {items.map((view) => tab(view.id, view.name, view === here, () => put(askedOf(view.query))))}
      {here?.mine ? <Button size="small" type="text" aria-label={t("removeSure", { name: here.name })} onClick={() => forget(here)}>✕</Button> : null}
      {here || isWhole ? null : <Button size="small" type="link" onClick={() => setName("")}>{t("saveView")}</Button>}
      {name === null ? null : (
        <Modal open title={t("saveView")} okText={t("save")} cancelText={t("cancel")} onCancel={() => setName(null)} onOk={save} okButtonProps={{ disabled: name.trim() === "" }}>
          <div className="ms-stack" ref={focusOnceShown}>
            <Input value={name} maxLength={200} aria-label={t("name")} placeholder={t("name")} onChange={(event) => setName(event.target.value)} />
            {may("engineer") ? <Checkbox checked={shared} onChange={(event) => setShared(event.target.checked)}>{t("forEveryone")}</Checkbox> : null}
          </div>
        </Modal>
      )}
    </div>
  );
}
