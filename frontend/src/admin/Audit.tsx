import { useCallback, useRef, useState } from "react";
import { Link, useSearchParams } from "react-router";
import { Button, Drawer, Select } from "antd";
import { api, download } from "../api";
import { type Column, Grid } from "../components/Grid";
import { Empty, NoneMatch, PageState } from "../components/PageState";
import { fieldText, instantOf } from "../components/RangeFields";
import { SearchField } from "../components/SearchField";
import { useFailed } from "../failed";
import { formatCount } from "../format/number";
import { type Field, isEmpty, listFields } from "../records/fields";
import { askKind, useKind, useKinds, useTongue, wayTo } from "../records/use-kind";
import { type Tongue, valueText, wholeText } from "../records/value-text";
import { useResource } from "../resource";
import { useSession } from "../session";
import { type Action, ACTIONS, type AuditEntry, type Page } from "../types";
import { type Say, useSay, useWords } from "../words";
import { auditWords } from "../words/audit";
import { Chain } from "./Chain";

const PAGE = 500;
const BRIEF = 60;
const HIDDEN = "***";
/** What is longer is a moment, not how long something lasts. */
const YEAR_MS = 366 * 86_400_000;
const STAMPS = new Set(["created_ms", "changed_ms", "decided_ms"]);
const LINKS = new Set(["link", "any"]);
const NO_FIELDS: ReadonlyMap<string, readonly Field[]> = new Map();
/** Things of the platform that no page of records lists. */
const KINDS = ["user", "session", "credential", "asset", "tag", "alarm-definition", "connection", "gateway", "command", "history", "tenant", "comment", "attachment", "label", "events", "invitation", "registration"] as const;

const actionWord = (action: Action) => (action === "acknowledge" ? "acknowledgeAction" : action === "export" ? "exportAction" : action);

/** What a thing is called that was acted on; what has no word stays as the record names it. */
function useKindWord(): (kind: string) => string {
  const t = useWords(auditWords);
  const say = useSay();
  const kinds = useKinds();
  return (kind) => {
    const key = `kind_${kind}`;
    return key in auditWords ? t(key as keyof typeof auditWords) : say(kinds.value?.find((each) => each.kind === kind)?.one ?? kind);
  };
}

/** The word of a field or value that no kind of record declares; without one it stays as it is. */
function wordOf(what: "field" | "value", name: string, t: Say<typeof auditWords>): string {
  const key = `${what}_${name}`;
  return key in auditWords ? t(key as keyof typeof auditWords) : name;
}

function written(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** The fields of the kinds of records that entries are about, by kind. */
function useFields(entries: readonly AuditEntry[]): ReadonlyMap<string, readonly Field[]> {
  const kinds = useKinds();
  const names = [...new Set(entries.map(({ object_kind }) => object_kind))].filter((name) => kinds.value?.some(({ kind }) => kind === name)).sort();
  const found = useResource(names.join(), async () => new Map((await Promise.all(names.map(askKind))).map((kind) => [kind.kind, listFields(kind)])), true);
  return found.value ?? NO_FIELDS;
}

/** What changed, in a line: of a new thing what it is, of a removed one what it was. Links of records are told by the entry itself. */
function brief({ action, changes }: AuditEntry, fields: readonly Field[] | undefined, tongue: Tongue, t: Say<typeof auditWords>): string {
  return Object.entries(changes)
    .filter(([name, [before, after]]) => !STAMPS.has(name) && !(isEmpty(before) && isEmpty(after)))
    .flatMap(([name, [before, after]]) => {
      const field = fields?.find((each) => each.name === name);
      const word = field ? tongue.say(field.words) : wordOf("field", name, t);
      if (field && LINKS.has(field.control)) return action === "change" ? [word] : [];
      const told = (value: unknown) => (field && value !== HIDDEN ? valueText(field, value, {}, tongue) : wordOf("value", written(value), t)).slice(0, BRIEF);
      const said = action === "delete" ? told(before) : isEmpty(before) ? told(after) : `${told(before)} → ${told(after)}`;
      return [`${word}: ${said}`];
    })
    .join(", ");
}

function columnsOf(t: Say<typeof auditWords>, time: (ms: number) => string, kindWord: (kind: string) => string, told: (entry: AuditEntry) => string): Column<AuditEntry>[] {
  return [
    { key: "number", title: t("number"), width: "84px", end: true, cell: ({ sequence }) => <span className="ms-num ms-third">{formatCount(sequence)}</span> },
    { key: "time", title: t("time"), width: "160px", cell: ({ time_ms }) => <span className="ms-num">{time(time_ms)}</span> },
    { key: "who", title: t("who"), width: "minmax(140px, 1fr)", cell: ({ user }) => user || <span className="ms-third">{t("system")}</span> },
    { key: "what", title: t("what"), width: "164px", cell: ({ action }) => t(actionWord(action)) },
    {
      key: "object",
      title: t("onWhat"),
      width: "minmax(180px, 1.5fr)",
      cell: ({ object_kind, object_name }) => (
        <>
          <span className="ms-third">{kindWord(object_kind)}</span> {object_name}
        </>
      ),
    },
    { key: "changes", title: t("changes"), width: "minmax(200px, 3fr)", cell: (entry) => <span className="ms-num">{told(entry)}</span> },
    { key: "address", title: t("address"), width: "130px", cell: ({ address }) => <span className="ms-code">{address}</span> },
  ];
}

function Detail({ entry, onClose }: { entry: AuditEntry | null; onClose: () => void }) {
  const t = useWords(auditWords);
  const tongue = useTongue();
  const { zone } = useSession();
  const kindWord = useKindWord();
  const kinds = useKinds();
  const isRecord = entry !== null && (kinds.value?.some(({ kind }) => kind === entry.object_kind) ?? false);
  const { value: kind } = useKind(isRecord ? entry.object_kind : null);
  const fields = kind ? listFields(kind) : [];
  const way = entry && (isRecord || entry.object_kind === "asset") && entry.action !== "delete" ? wayTo(entry.object_kind, entry.object_id) : null;
  const told = (name: string, value: unknown) => {
    const field = fields.find((each) => each.name === name);
    if (field && value !== null && value !== HIDDEN) return wholeText(field, value, {}, tongue);
    return name.endsWith("_ms") && typeof value === "number" && value > YEAR_MS ? zone.full(value) : wordOf("value", written(value), t);
  };
  return (
    <Drawer open={entry !== null} onClose={onClose} title={t("entry")} size={480} destroyOnHidden>
      {entry ? (
        <div className="ms-stack">
          <dl className="ms-facts">
            <dt>{t("number")}</dt>
            <dd className="ms-num">{formatCount(entry.sequence)}</dd>
            <dt>{t("time")}</dt>
            <dd className="ms-num">
              {zone.full(entry.time_ms)} {zone.offsetText(entry.time_ms)}
            </dd>
            <dt>{t("who")}</dt>
            <dd>{entry.user || t("system")}</dd>
            <dt>{t("what")}</dt>
            <dd>{t(actionWord(entry.action))}</dd>
            <dt>{t("onWhat")}</dt>
            <dd>
              {kindWord(entry.object_kind)} {way ? <Link to={way}>{entry.object_name || t("openObject")}</Link> : entry.object_name}
              <br />
              <span className="ms-code ms-third">{entry.object_id}</span>
            </dd>
            <dt>{t("address")}</dt>
            <dd className="ms-code">{entry.address}</dd>
          </dl>
          {Object.keys(entry.changes).length > 0 ? (
            <table className="ms-table">
              <thead>
                <tr>
                  <th scope="col">{t("changes")}</th>
                  <th scope="col">{t("before")}</th>
                  <th scope="col">{t("after")}</th>
                </tr>
              </thead>
              <tbody>
                {Object.entries(entry.changes).map(([name, [before, after]]) => {
                  const field = fields.find((each) => each.name === name);
                  return (
                    <tr key={name}>
                      <td>{field ? tongue.say(field.words) : wordOf("field", name, t)}</td>
                      <td className="ms-third">{told(name, before)}</td>
                      <td>{told(name, after)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          ) : null}
        </div>
      ) : null}
    </Drawer>
  );
}

/** The audit grows at its end while it is read: more is added below, what is shown stays. */
function useAudit(filter: Record<string, string>) {
  const key = JSON.stringify(filter);
  const failed = useFailed();
  const asking = useRef(false);
  const audit = useResource(key, (signal) => api.get<Page<AuditEntry>>("/audit", { ...filter, limit: PAGE }, signal));
  const { value, set } = audit;
  const more = useCallback(() => {
    if (asking.current || !value) return;
    asking.current = true;
    api
      .get<Page<AuditEntry>>("/audit", { ...(JSON.parse(key) as Record<string, string>), offset: value.items.length, limit: PAGE })
      .then((page) => {
        const known = new Set(value.items.map(({ id }) => id));
        set((before) => before && { ...before, items: [...before.items, ...page.items.filter(({ id }) => !known.has(id))] });
      }, failed)
      .finally(() => (asking.current = false));
  }, [key, value, set, failed]);
  return { audit, more };
}

/** What was done, by whom, from where, before and after. */
export function Audit() {
  const t = useWords(auditWords);
  const { zone } = useSession();
  const [search, setSearch] = useSearchParams();
  const [shown, setShown] = useState<AuditEntry | null>(null);
  const text = search.get("search") ?? "";
  const user = search.get("user") ?? "";
  const action = search.get("action") ?? "";
  const object = search.get("object") ?? "";
  const time = { start_ms: search.get("start_ms") ?? "", end_ms: search.get("end_ms") ?? "" };
  const { audit, more } = useAudit({ action, object, ...time, search: text, user });
  const tongue = useTongue();
  const fields = useFields(audit.value?.items ?? []);
  const told = (entry: AuditEntry) => brief(entry, fields.get(entry.object_kind), tongue, t);
  const kindWord = useKindWord();
  const kinds = useKinds();
  const failed = useFailed();
  const put = useCallback(
    (values: Record<string, string>) =>
      setSearch(
        (before) => {
          const next = new URLSearchParams(before);
          for (const [name, value] of Object.entries(values)) {
            if (value === "") next.delete(name);
            else next.set(name, value);
          }
          return next;
        },
        { replace: true },
      ),
    [setSearch],
  );
  const named = useCallback((wanted: string) => put({ search: wanted }), [put]);
  const byUser = useCallback((wanted: string) => put({ user: wanted }), [put]);
  const clear = () => put({ search: "", user: "", action: "", object: "", start_ms: "", end_ms: "" });
  const filtered = [action, object, time.start_ms, time.end_ms, text, user].some((each) => each !== "");
  const known = [...KINDS, ...(kinds.value ?? []).map(({ kind }) => kind)].map((kind) => ({ value: kind, label: kindWord(kind) }));
  const objects = object === "" || known.some(({ value }) => value === object) ? known : [{ value: object, label: t("oneObject") }, ...known];
  const save = () => download("GET", "/audit/export", { query: time }, "audit.jsonl").catch(failed);
  const moment = (key: "start_ms" | "end_ms", label: string) => (
    <label className="ms-row">
      <span className="ms-third ms-caption">{label}</span>
      <input type="datetime-local" className="ms-datetime ms-num" value={time[key] === "" ? "" : fieldText(Number(time[key]), zone)} onChange={(event) => put({ [key]: String(instantOf(event.target.value, zone) ?? "") })} />
    </label>
  );
  return (
    <>
      <div className="ms-filters">
        <SearchField label={t("searchAudit")} search={text} onSearch={named} />
        <SearchField label={t("byUser")} search={user} onSearch={byUser} />
        <Select
          aria-label={t("what")}
          value={action}
          onChange={(value) => put({ action: value })}
          options={[{ value: "", label: t("anyAction") }, ...ACTIONS.map((value) => ({ value, label: t(actionWord(value)) }))]}
        />
        <Select aria-label={t("onWhat")} value={object} onChange={(value) => put({ object: value })} showSearch={{ optionFilterProp: "label" }} options={[{ value: "", label: t("anyKind") }, ...objects]} />
        {moment("start_ms", t("fromTime"))}
        {moment("end_ms", t("toTime"))}
        <Button title={t("exportHint")} onClick={() => void save()}>{t("exportAudit")}</Button>
      </div>
      <Chain />
      <PageState state={audit} rows={10}>
        {({ items, total }) => (
          <div className="ms-panel ms-grid-place">
            <Grid
              label={t("auditLabel")}
              columns={columnsOf(t, (ms) => zone.full(ms), kindWord, told)}
              rows={items}
              total={total}
              rowKey={({ id }) => id}
              onOpen={setShown}
              onMore={more}
              phone={(entry) => (
                <>
                  <span className="ms-row">
                    <span className="ms-bold">{entry.user || t("system")}</span>
                    <span>{t(actionWord(entry.action))}</span>
                    <span className="ms-cut ms-grow">{entry.object_name}</span>
                  </span>
                  <span className="ms-second ms-caption ms-num ms-cut">
                    {zone.full(entry.time_ms)} · {told(entry) || entry.address}
                  </span>
                </>
              )}
              empty={filtered ? <NoneMatch total={total} onClear={clear} /> : <Empty title={t("noAudit")} />}
            />
          </div>
        )}
      </PageState>
      <Detail entry={shown} onClose={() => setShown(null)} />
    </>
  );
}
