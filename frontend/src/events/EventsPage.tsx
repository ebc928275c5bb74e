import { useCallback, useMemo, useState } from "react";
import { useSearchParams } from "react-router";
import { Button } from "antd";
import { download } from "../api";
import { type Column, Grid } from "../components/Grid";
import { Empty, PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { formatCount } from "../format/number";
import { FilterField } from "../records/FilterField";
import { type Asked, nextSort, readAsked, writeAsked } from "../records/query";
import type { Titles } from "../records/types";
import { useResource } from "../resource";
import { useSession } from "../session";
import { useUnits } from "../units";
import { useSay, useWords } from "../words";
import { eventWords } from "../words/events";
import { EventDetail } from "./EventDetail";
import { filterFields, parametersOf } from "./filters";
import { ImportDrawer } from "./ImportDrawer";
import { Mark } from "./Mark";
import { happenedText, keyOf, kindText, msOf, nameText, placeOf, type Reading, thingsText, wordOf } from "./read";
import type { EpcisEvent, Vocabulary } from "./types";
import { type EventPage, namesOf, useEvents, useVocabulary } from "./use-events";
import "../records/records.css";
import "./events.css";

const BY_TIME = "eventTime";
const ADDRESS = "/api/v1/epcis/capture";

function columnsOf({ names, wrong }: EventPage, reading: Reading, time: (ms: number) => string, sort: string, onSort: () => void): Column<EpcisEvent>[] {
  const { t, say } = reading;
  const way = sort === BY_TIME ? "ascending" : "descending";
  const head = (
    <button type="button" className="ms-plain ms-sort" title={t("sortBy", { field: t("when") })} onClick={onSort}>
      {t("when")}
      <span aria-hidden="true">{way === "ascending" ? " ▲" : " ▼"}</span>
    </button>
  );
  const isWrong = ({ eventID }: EpcisEvent) => wrong.has(eventID);
  return [
    { key: "when", title: head, sort: way, width: "160px", cell: (event) => <span className="ms-num">{time(msOf(event.eventTime))}</span> },
    {
      key: "happened",
      title: t("happened"),
      width: "minmax(236px, 1.2fr)",
      cell: (event) => (
        <>
          <span className="ms-bold">{happenedText(event, reading)}</span> <Mark event={event} wrong={isWrong(event)} />
        </>
      ),
    },
    { key: "things", title: t("things"), width: "minmax(200px, 2.4fr)", cell: (event) => <span className={isWrong(event) ? "ms-num ms-event-wrong" : "ms-num"}>{thingsText(event, names, reading)}</span> },
    { key: "where", title: t("where"), width: "minmax(140px, 1.2fr)", cell: (event) => (placeOf(event) === "" ? "–" : nameText(placeOf(event), names, say)) },
    { key: "disposition", title: t("state"), width: "minmax(100px, 0.8fr)", cell: (event) => wordOf("disposition", event.disposition, reading) || "–" },
    { key: "documents", title: t("documentPlain"), width: "minmax(96px, 0.7fr)", cell: ({ bizTransactionList: list = [] }) => [...new Set(list.map(({ bizTransaction }) => nameText(bizTransaction, names, say)))].join(", ") || "–" },
    { key: "kind", title: t("eventType"), width: "minmax(120px, 0.9fr)", cell: (event) => <span className="ms-second">{kindText(event, reading)}</span> },
  ];
}

function PhoneEvent({ event, page, reading, time }: { event: EpcisEvent; page: EventPage; reading: Reading; time: (ms: number) => string }) {
  const place = placeOf(event);
  return (
    <>
      <span className="ms-row">
        <span className="ms-bold ms-cut ms-grow">{happenedText(event, reading)}</span>
        <Mark event={event} wrong={page.wrong.has(event.eventID)} />
        <span className="ms-num ms-second ms-caption">{time(msOf(event.eventTime)).slice(0, 16)}</span>
      </span>
      <span className="ms-second ms-caption ms-num ms-cut">{[thingsText(event, page.names, reading), place === "" ? "" : nameText(place, page.names, reading.say)].filter((part) => part !== "").join(" · ")}</span>
    </>
  );
}

function EventList({ vocabulary }: { vocabulary: Vocabulary }) {
  const t = useWords(eventWords);
  const say = useSay();
  const failed = useFailed();
  const units = useUnits();
  const { person, zone } = useSession();
  const [params, setParams] = useSearchParams();
  const [importing, setImporting] = useState(false);
  const fields = useMemo(() => filterFields(vocabulary), [vocabulary]);
  const { where, sort } = useMemo(() => readAsked(params, fields), [params, fields]);
  const put = useCallback((change: Partial<Asked>) => setParams((before) => writeAsked(before, { ...readAsked(before, fields), ...change })), [setParams, fields]);
  const query = useMemo(() => ({ ...parametersOf(where), ...(sort === BY_TIME && { orderDirection: "ASC" }) }), [where, sort]);
  const { page, more } = useEvents(query);
  const reading: Reading = { t, say, units: units.value?.items ?? [], vocabulary };
  const time = (ms: number) => zone.full(ms);
  // What things and places are asked for by is called on its chip as everywhere.
  const uris = where.filter(({ field }) => fields.find(({ name }) => name === field)?.control === "uri").map(({ value }) => String(value));
  const called = useResource(uris.length > 0 ? uris.join(" ") : null, (signal) => namesOf(uris.map((each) => each.split("|")[0] ?? ""), signal));
  const titles: Titles = Object.fromEntries(uris.map((each) => [each, nameText(each.split("|")[0] ?? "", called.value ?? {}, say)]).map(([uri, text]) => [uri, { en: text, zh: text }]));
  const open = (id: string | null) =>
    setParams((before) => {
      const next = new URLSearchParams(before);
      if (id === null) next.delete("event");
      else next.set("event", id);
      return next;
    });
  const mayEnter = person.rights.includes("enter");
  const save = () => void download("GET", "/epcis/export", { query }, "events.jsonld").catch(failed);
  const load = mayEnter ? <Button onClick={() => setImporting(true)}>{t("importFile")}</Button> : null;
  const tools = (
    <div className="ms-filters">
      <FilterField fields={fields} where={where} titles={titles} onChange={(next) => put({ where: next })} />
      <span className="ms-grow" />
      {person.rights.includes("export") ? <Button title={t("exportEvents")} onClick={save}>{t("export")}</Button> : null}
      {load}
    </div>
  );
  return (
    <>
      <PageState state={page} rows={10}>
        {(found) => {
          if (found.items.length === 0 && where.length === 0) return <Empty title={t("emptyEvents")} text={t("emptyEventsText", { address: ADDRESS })} action={load} />;
          const shown = formatCount(found.items.length);
          return (
            <div className="ms-records-list">
              {tools}
              <p className="ms-third ms-caption ms-num" role="status">{found.next === "" ? t("eventsCount", { n: found.items.length }) : t("eventsMore", { n: shown })}</p>
              <div className="ms-panel ms-grid-place">
                <Grid
                  label={t("eventsLabel")}
                  columns={columnsOf(found, reading, time, sort, () => put({ sort: nextSort(sort, BY_TIME) === BY_TIME ? BY_TIME : "" }))}
                  rows={found.items}
                  total={found.items.length + (found.next === "" ? 0 : 1)}
                  rowKey={keyOf}
                  onOpen={({ eventID }) => open(eventID)}
                  onMore={more}
                  phone={(event) => <PhoneEvent event={event} page={found} reading={reading} time={time} />}
                  empty={<Empty title={t("noneMatchEvents")} action={<Button onClick={() => put({ where: [] })}>{t("clearFilter")}</Button>} />}
                />
              </div>
            </div>
          );
        }}
      </PageState>
      <EventDetail id={params.get("event")} reading={reading} mayEnter={mayEnter} onOpen={open} onChanged={page.reload} />
      {importing ? <ImportDrawer onClose={() => setImporting(false)} onTaken={page.reload} /> : null}
    </>
  );
}

/** What happened in the plant and on the way to it and from it: EPCIS events, the newest first. */
export default function EventsPage() {
  const t = useWords(eventWords);
  const vocabulary = useVocabulary();
  return (
    <div className="ms-page ms-page-full">
      <h1>{t("events")}</h1>
      <PageState state={vocabulary} rows={10}>{(words) => <EventList vocabulary={words} />}</PageState>
    </div>
  );
}
