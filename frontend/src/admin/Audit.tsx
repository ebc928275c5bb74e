import { useCallback, useEffect, useRef, useState } from "react";
import { useSearchParams } from "react-router";
import { Drawer, Input, Select } from "antd";
import { api } from "../api";
import { type Column, Grid } from "../components/Grid";
import { Empty, NoneMatch, PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSession } from "../session";
import { type Action, ACTIONS, type AuditEntry, type Page } from "../types";
import { type Say, useWords } from "../words";
import { adminWords } from "../words/admin";

const PAGE = 500;
const BRIEF = 60;
const TYPING_MS = 250;

const actionWord = (action: Action) => (action === "acknowledge" ? "acknowledgeAction" : action === "export" ? "exportAction" : action);

/** What a thing is called that was acted on; what has no word stays as the record names it. */
function kindWord(kind: string, t: Say<typeof adminWords>): string {
  const key = `kind_${kind}`;
  return key in adminWords ? t(key as keyof typeof adminWords) : kind;
}

function written(value: unknown): string {
  if (value === null || value === undefined || value === "") return "-";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function brief(changes: AuditEntry["changes"]): string {
  return Object.entries(changes)
    .map(([field, [before, after]]) => `${field}: ${written(before).slice(0, BRIEF)} > ${written(after).slice(0, BRIEF)}`)
    .join(", ");
}

function columnsOf(t: Say<typeof adminWords>, time: (ms: number) => string): Column<AuditEntry>[] {
  return [
    { key: "time", title: t("time"), width: "160px", cell: ({ time_ms }) => <span className="ms-num">{time(time_ms)}</span> },
    { key: "who", title: t("who"), width: "minmax(110px, 1fr)", cell: ({ user }) => user || <span className="ms-third">{t("system")}</span> },
    { key: "what", title: t("what"), width: "130px", cell: ({ action }) => t(actionWord(action)) },
    {
      key: "object",
      title: t("onWhat"),
      width: "minmax(180px, 1.5fr)",
      cell: ({ object_kind, object_name }) => (
        <>
          <span className="ms-third">{kindWord(object_kind, t)}</span> {object_name}
        </>
      ),
    },
    { key: "changes", title: t("changes"), width: "minmax(200px, 3fr)", cell: ({ changes }) => <span className="ms-num">{brief(changes)}</span> },
    { key: "address", title: t("address"), width: "130px", cell: ({ address }) => <span className="ms-code">{address}</span> },
  ];
}

function Detail({ entry, onClose }: { entry: AuditEntry | null; onClose: () => void }) {
  const t = useWords(adminWords);
  const { zone } = useSession();
  return (
    <Drawer open={entry !== null} onClose={onClose} title={t("entry")} size={480} destroyOnHidden>
      {entry ? (
        <dl className="ms-facts">
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
            {kindWord(entry.object_kind, t)} {entry.object_name}
            <br />
            <span className="ms-code ms-third">{entry.object_id}</span>
          </dd>
          <dt>{t("address")}</dt>
          <dd className="ms-code">{entry.address}</dd>
          {Object.entries(entry.changes).map(([field, [before, after]]) => [
            <dt key={field}>{field}</dt>,
            <dd key={`${field}-values`}>
              <del>{written(before)}</del> {written(after)}
            </dd>,
          ])}
        </dl>
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
  const t = useWords(adminWords);
  const { zone } = useSession();
  const [search, setSearch] = useSearchParams();
  const [shown, setShown] = useState<AuditEntry | null>(null);
  const [typed, setTyped] = useState({ search: search.get("search") ?? "", user: search.get("user") ?? "" });
  const action = search.get("action") ?? "";
  const { audit, more } = useAudit({ action, search: search.get("search") ?? "", user: search.get("user") ?? "" });
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
  useEffect(() => {
    const timer = setTimeout(() => put(typed), TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, put]);
  const clear = () => {
    setTyped({ search: "", user: "" });
    put({ action: "" });
  };
  const filtered = action !== "" || typed.search !== "" || typed.user !== "";
  return (
    <>
      <div className="ms-filters">
        <Input allowClear value={typed.search} onChange={(event) => setTyped({ ...typed, search: event.target.value })} placeholder={t("searchAudit")} aria-label={t("searchAudit")} />
        <Input allowClear value={typed.user} onChange={(event) => setTyped({ ...typed, user: event.target.value })} placeholder={t("byUser")} aria-label={t("byUser")} />
        <Select
          aria-label={t("what")}
          value={action}
          onChange={(value) => put({ action: value })}
          options={[{ value: "", label: t("anyAction") }, ...ACTIONS.map((value) => ({ value, label: t(actionWord(value)) }))]}
        />
      </div>
      <PageState state={audit} rows={10}>
        {({ items, total }) => (
          <div className="ms-panel ms-grid-place">
            <Grid
              label={t("auditLabel")}
              columns={columnsOf(t, (ms) => zone.full(ms))}
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
                    {zone.full(entry.time_ms)} · {brief(entry.changes) || entry.address}
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
