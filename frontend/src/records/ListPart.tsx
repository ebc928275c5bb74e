import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useNavigate, useSearchParams } from "react-router";
import { Button, Dropdown } from "antd";
import { download } from "../api";
import { type Column, Grid } from "../components/Grid";
import { Empty, NoneMatch, PageState } from "../components/PageState";
import { SearchField } from "../components/SearchField";
import { useFailed } from "../failed";
import { formatCount } from "../format/number";
import { usePhone } from "../media";
import { usePreferences } from "../preferences";
import { useSession } from "../session";
import { usePageKeys } from "../shell/keys";
import { BulkBar } from "./BulkBar";
import { ColumnChoice } from "./ColumnChoice";
import { columnsOf, PhoneRow } from "./columns";
import { listFields, usualColumns } from "./fields";
import { FilterField } from "./FilterField";
import { type Asked, isFiltered, readAsked, toQuery, writeAsked } from "./query";
import type { Kind, Row, Titles } from "./types";
import { givesRights, nameOf, rightWord, useTongue } from "./use-kind";
import type { List } from "./use-list";
import { Views } from "./Views";

const FORMS = ["xlsx", "csv", "json"] as const;
const NARROW = 4;

/** What is asked of the list stands in the address; a change of it is a step that Back undoes, typing is not. */
export function useAsked(kind: Kind): [Asked, (change: Partial<Asked>, replace?: boolean) => void] {
  const [params, setParams] = useSearchParams();
  const fields = useMemo(() => listFields(kind), [kind]);
  const asked = useMemo(() => readAsked(params, fields), [params, fields]);
  const put = useCallback(
    (change: Partial<Asked>, replace = false) => setParams((before) => writeAsked(before, { ...readAsked(before, fields), ...change }), { replace }),
    [setParams, fields],
  );
  return [asked, put];
}

interface ListPartProps {
  kind: Kind;
  /** What the reader may do. */
  may: (doing: string) => boolean;
  /** The company whose records they are; empty: the own one. */
  from: string;
  list: List;
  asked: Asked;
  put: (change: Partial<Asked>, replace?: boolean) => void;
  /** The record shown beside the list. */
  chosen: string | null;
  onOpen: (row: Row) => void;
  onNew: () => void;
}

/** A list of records: search, conditions, order, columns, several rows at once. */
export function ListPart({ kind, may, from, list, asked, put, chosen, onOpen, onNew }: ListPartProps) {
  const tongue = useTongue();
  const { t, say } = tongue;
  const failed = useFailed();
  const navigate = useNavigate();
  const phone = usePhone();
  const { language } = usePreferences();
  const { may: isAtLeast } = useSession();
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const place = useRef<HTMLDivElement>(null);
  const fields = useMemo(() => listFields(kind), [kind]);
  const usual = usualColumns(kind);
  const names = asked.columns.length > 0 ? asked.columns : usual;
  const loaded = list.page.value?.items ?? [];
  // Of another company's records come the fields alone that it shows.
  const told = (name: string) => from === "" || loaded.length === 0 || loaded.some((row) => row[name] !== undefined);
  const shown = names.flatMap((name) => fields.find((field) => field.name === name && told(name)) ?? []).slice(0, chosen ? NARROW : undefined);
  const mayCreate = may("create");
  const mayWrite = may("change") || may("remove");
  const search = useCallback((text: string) => put({ search: text }, true), [put]);
  useEffect(() => setSelected(new Set()), [kind, asked.search, asked.where]);
  const toggle = (row: Row) =>
    setSelected((before) => {
      const next = new Set(before);
      if (!next.delete(row.id)) next.add(row.id);
      return next;
    });
  const save = (format: string) => download("GET", `/records/${kind.kind}/export`, { query: { ...toQuery(asked), from, format, language } }, `${kind.kind}.${format}`).catch(failed);
  const step = (key: string) => {
    const grid = place.current?.querySelector<HTMLElement>("[role=grid]");
    grid?.focus();
    grid?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  };
  usePageKeys({ n: mayCreate ? onNew : null, j: () => step("ArrowDown"), k: () => step("ArrowUp") });
  const add = mayCreate ? <Button type="primary" className="ms-main-action" onClick={onNew}>{t("create")}</Button> : null;
  const load = mayCreate && isAtLeast("engineer") && !givesRights(kind.kind) ? <Button onClick={() => void navigate(`/records/${kind.kind}/import`)}>{t("importFile")}</Button> : null;
  const clear = () => put({ search: "", where: [] });
  const all = (items: readonly Row[]) => setSelected(items.every(({ id }) => selected.has(id)) ? new Set() : new Set(items.map(({ id }) => id)));
  const tools = (titles: Titles) => (
    <div className="ms-filters">
      <SearchField label={t("searchIn", { many: say(kind.many) })} search={asked.search} onSearch={search} />
      <FilterField fields={fields} where={asked.where} titles={titles} onChange={(where) => put({ where })} />
      <span className="ms-grow" />
      {phone ? null : <ColumnChoice fields={fields} chosen={names} usual={usual} onChange={(columns) => put({ columns })} />}
      {may("export") ? <Dropdown trigger={["click"]} menu={{ items: FORMS.map((form) => ({ key: form, label: t("exportAs", { form: form.toUpperCase() }), onClick: () => void save(form) })) }}>
        <Button aria-haspopup="menu" title={t("exportWhat")}>{t("export")}</Button>
      </Dropdown> : null}
      {load}
      {add}
    </div>
  );
  return (
    <div ref={place} className="ms-records-list">
      {from === "" ? <Views kind={kind} asked={asked} put={put} /> : null}
      <PageState state={list.page} rows={10}>
        {({ items, total, more, next, titles }) => {
          const filtered = isFiltered(asked);
          if (items.length === 0 && !filtered) {
            return <Empty title={t("emptyTitle", { many: say(kind.many) })} text={from !== "" ? undefined : mayCreate ? t(load ? "emptyText" : "emptyFirst") : t("emptyLook", { right: rightWord(kind.write, t) })} action={mayCreate ? <>{add}{load}</> : undefined} />;
          }
          const rows = items.filter(({ id }) => selected.has(id));
          const columns = columnsOf({ fields: shown, title: kind.title, titles, sort: asked.sort || kind.order, onSort: (sort) => put({ sort }), tongue });
          const box: Column<Row> = {
            key: "select",
            title: <input type="checkbox" className="ms-select" aria-label={t("selectAll")} checked={rows.length > 0 && rows.length === items.length} onChange={() => all(items)} />,
            width: "40px",
            cell: (row) => <input type="checkbox" className="ms-select" aria-label={t("selectOne", { name: nameOf(kind, row, say, titles) })} checked={selected.has(row.id)} onChange={() => toggle(row)} tabIndex={-1} />,
          };
          return (
            <>
              {rows.length > 0 ? <BulkBar kind={kind} rows={rows} titles={titles} onClear={() => setSelected(new Set())} onDone={list.page.reload} /> : tools(titles)}
              <p className="ms-third ms-caption ms-num" role="status">{t(more ? "countMore" : "count", { n: more ? formatCount(total) : total })}</p>
              <div className="ms-panel ms-grid-place">
                <Grid
                  label={t("listOf", { many: say(kind.many) })}
                  columns={mayWrite ? [box, ...columns] : columns}
                  rows={items}
                  total={next === "" ? items.length : Math.max(total, items.length + 1)}
                  rowKey={({ id }) => id}
                  onOpen={onOpen}
                  {...((mayWrite || chosen) && { selected: chosen ? new Set([...selected, chosen]) : selected })}
                  {...(mayWrite && { onSelect: toggle })}
                  onMore={list.more}
                  phone={(row) => <PhoneRow row={row} fields={shown} title={kind.title} titles={titles} tongue={tongue} />}
                  empty={<NoneMatch total={list.whole} onClear={clear} />}
                />
              </div>
            </>
          );
        }}
      </PageState>
    </div>
  );
}
