import { useState } from "react";
import { useSearchParams } from "react-router";
import { Button, Select } from "antd";
import { api, download } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { type Column, Grid } from "../components/Grid";
import { Empty, PageState } from "../components/PageState";
import { MomentField } from "../components/RangeFields";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useZone } from "../session";
import type { AlarmEvent, AlarmState, AlarmTransition } from "../types";
import { type Say, useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { transitionWord } from "./AlarmDetail";
import { placeOfPath, valueAndLimit } from "./text";

const HOUR_MS = 3_600_000;
const LIMIT = 1000;
const HOURS = [1, 8, 24];
const DAYS = [7, 30];
const SIGN_STATES: Record<AlarmTransition, AlarmState> = {
  raised: "active-unacknowledged",
  acknowledged: "active-acknowledged",
  cleared: "cleared-unacknowledged",
  removed: "normal",
};

function columnsOf(t: Say<typeof alarmWords>, say: ReturnType<typeof useSay>, zone: ReturnType<typeof useZone>): Column<AlarmEvent>[] {
  return [
    { key: "time", title: t("time"), width: "160px", cell: ({ time_ms }) => <span className="ms-num">{zone.full(time_ms)}</span> },
    { key: "sign", title: "", width: "40px", cell: (event) => <AlarmSign priority={event.priority} state={SIGN_STATES[event.transition]} /> },
    { key: "event", title: t("transition"), width: "112px", cell: ({ transition }) => t(transitionWord(transition)) },
    { key: "alarm", title: t("alarm"), width: "minmax(200px, 3fr)", cell: ({ name }) => say(name) },
    {
      key: "value",
      title: t("valueLimit"),
      width: "minmax(150px, 1.2fr)",
      end: true,
      cell: (event) => <span className="ms-num">{valueAndLimit(event)}</span>,
    },
    {
      key: "place",
      title: t("tagPlace"),
      width: "minmax(180px, 2fr)",
      cell: ({ tag_name, path }) => (
        <>
          {tag_name} <span className="ms-third">{placeOfPath(path)}</span>
        </>
      ),
    },
    { key: "by", title: t("who"), width: "120px", cell: ({ by }) => by },
    { key: "comment", title: t("comment"), width: "minmax(120px, 1fr)", cell: ({ comment }) => comment },
  ];
}

/** What has been: raised, acknowledged, cleared. Only this tab has a time range. */
export function AlarmHistory() {
  const t = useWords(alarmWords);
  const say = useSay();
  const zone = useZone();
  const failed = useFailed();
  const [search, setSearch] = useSearchParams();
  const [fixed, setFixed] = useState(() => ({ start: Date.now() - 8 * HOUR_MS, end: Date.now() }));
  const range = search.get("range") ?? "24";
  const hours = Number(range);
  const query = () => {
    const end_ms = range === "fixed" ? fixed.end : Date.now() + 60_000;
    return { start_ms: range === "fixed" ? fixed.start : end_ms - hours * HOUR_MS, end_ms };
  };
  const key = range === "fixed" ? `${fixed.start}-${fixed.end}` : range;
  const events = useResource(key, (signal) => api.get<{ items: AlarmEvent[] }>("/alarms/history", { ...query(), limit: LIMIT }, signal));
  const save = () => download("GET", "/alarms/history", { query: { ...query(), limit: 100_000, format: "csv" } }, "alarms.csv").catch(failed);
  return (
    <>
      <div className="ms-filters">
        <Select
          aria-label={t("time")}
          value={range}
          onChange={(value) => setSearch({ tab: "history", range: value })}
          options={[
            ...HOURS.map((n) => ({ value: String(n), label: t("lastHours", { n }) })),
            ...DAYS.map((n) => ({ value: String(n * 24), label: t("lastDays", { n }) })),
            { value: "fixed", label: t("fixedRange") },
          ]}
        />
        {range === "fixed" ? (
          <>
            <MomentField label={t("from")} value={fixed.start} onChange={(start) => setFixed({ ...fixed, start })} />
            <MomentField label={t("to")} value={fixed.end} onChange={(end) => setFixed({ ...fixed, end })} />
          </>
        ) : null}
        <span className="ms-third ms-num">
          {zone.name} {zone.offsetText(fixed.end)}
        </span>
        <span className="ms-grow" />
        <Button onClick={save}>{t("exportCsv")}</Button>
      </div>
      <PageState state={events} rows={10}>
        {({ items }) => (
          <>
            {items.length >= LIMIT ? <p className="ms-second">{t("cutAt", { n: LIMIT })}</p> : null}
            <div className="ms-panel ms-grid-place">
              <Grid
                label={t("historyLabel")}
                columns={columnsOf(t, say, zone)}
                rows={items}
                rowKey={({ id }) => id}
                phone={(event) => (
                  <>
                    <span className="ms-row">
                      <AlarmSign priority={event.priority} state={SIGN_STATES[event.transition]} />
                      <span className="ms-cut ms-grow">{say(event.name)}</span>
                      <span>{t(transitionWord(event.transition))}</span>
                    </span>
                    <span className="ms-row ms-second ms-caption ms-num">
                      <span className="ms-grow">{zone.full(event.time_ms)}</span>
                      {valueAndLimit(event)}
                    </span>
                  </>
                )}
                empty={<Empty title={t("noHistory")} text={t("widen")} />}
              />
            </div>
          </>
        )}
      </PageState>
    </>
  );
}
