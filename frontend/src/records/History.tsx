import { App, Button } from "antd";
import { api } from "../api";
import { Empty, PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { type Field, listFields } from "./fields";
import type { Detail, Kind } from "./types";
import { useTongue } from "./use-kind";
import { type Tongue, wholeText } from "./value-text";

const HIDDEN = "***";
const DID = { create: "did_create", change: "did_change", delete: "did_delete" } as const;

interface Entry {
  sequence: number;
  time_ms: number;
  /** Who it was; empty for the platform itself. */
  by: string | null;
  action: string;
  changes: Record<string, [unknown, unknown]>;
}

function Change({ field, name, change, detail, tongue }: { field: Field | undefined; name: string; change: [unknown, unknown]; detail: Detail; tongue: Tongue }) {
  const { t, say } = tongue;
  const told = (value: unknown) => {
    if (value === HIDDEN) return t("hiddenValue");
    return field ? wholeText(field, value, detail.titles, tongue, detail) : value === null ? "–" : typeof value === "object" ? JSON.stringify(value) : String(value);
  };
  const [before, after] = change;
  return (
    <>
      <dt className="ms-third">{field ? say(field.words) : name}</dt>
      <dd>
        {before === null || before === undefined ? null : <><span className="ms-hidden">{t("before")}</span><del className="ms-third">{told(before)}</del> <span aria-hidden="true">→</span> <span className="ms-hidden">{t("after")}</span></>}
        <ins className="ms-lines">{told(after)}</ins>
      </dd>
    </>
  );
}

/** What was done to a record: who, when, each field before and after, and the way back where there is one. */
export function History({ kind, record, mayChange, onChanged }: { kind: Kind; record: Detail; mayChange: boolean; onChanged: () => void }) {
  const tongue = useTongue();
  const { t, zone } = tongue;
  const { modal, message } = App.useApp();
  const failed = useFailed();
  const path = `/records/${kind.kind}/${record.id}/history`;
  const history = useResource(`${path} ${record.version}`, (signal) => api.get<{ items: Entry[] }>(path, {}, signal));
  const fields = listFields(kind);
  const undo = ({ sequence }: Entry) =>
    void modal.confirm({
      title: t("undoSure"), content: t("undoText"), okText: t("undo"), cancelText: t("cancel"), autoFocusButton: "cancel",
      onOk: () => api.post(`/records/${kind.kind}/${record.id}/undo`, { sequence, version: record.version }).then(() => message.success(t("undone"), 6), failed).finally(onChanged),
    });
  return (
    <PageState state={history} rows={4}>
      {({ items }) =>
        items.length === 0 ? (
          <Empty title={t("noHistory")} />
        ) : (
          <ol className="ms-history">
            {items.map((entry) => (
              <li key={entry.sequence}>
                <p className="ms-row ms-wrap">
                  <span className="ms-bold">{entry.action in DID ? t(DID[entry.action as keyof typeof DID]) : entry.action}</span>
                  <span className="ms-num ms-second">{zone.full(entry.time_ms)}</span>
                  <span className="ms-second">{t("by", { who: entry.by || t("system") })}</span>
                  {entry.action === "change" && mayChange ? <Button size="small" onClick={() => undo(entry)}>{t("undo")}</Button> : null}
                </p>
                <dl className="ms-facts">
                  {Object.entries(entry.changes).filter(([name]) => name !== "created_ms" && name !== "changed_ms").map(([name, change]) => (
                    <Change key={name} name={name} field={fields.find((each) => each.name === name)} change={change} detail={record} tongue={tongue} />
                  ))}
                </dl>
              </li>
            ))}
          </ol>
        )
      }
    </PageState>
  );
}
