import { useState } from "react";
import { useSearchParams } from "react-router";
import { Button, Dropdown, Input, Select } from "antd";
import { api, download } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { type Column, Grid } from "../components/Grid";
import { Empty, PageState } from "../components/PageState";
import { MomentField } from "../components/RangeFields";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useZone } from "../session";
import { usePhone } from "../media";
import { usePreferences } from "../preferences";
import { PRIORITIES } from "../theme/tokens";
import { type AlarmEvent, type AlarmState, type AlarmTransition, type Overview, TRANSITIONS } from "../types";
import { type Say, useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { AlarmValue } from "./AlarmValue";
import { transitionWord } from "./text";

const HOUR_MS = 3_600_000;
const LIMIT = 1000;
const HOURS = [1, 8, 24];
const DAYS = [7, 30];
const SIGN_STATES: Record<AlarmTransition, AlarmState> = {
  raised: "active-unacknowledged",
  acknowledged: "active-acknowledged",
  cleared: "cleared-unacknowledged",
  removed: "normal",
  shelved: "shelved",
  unshelved: "active-acknowledged",
  "out-of-service": "out-of-service",
  "in-service": "active-acknowledged",
  commented: "active-acknowledged",
  suppressed: "suppressed",
  unsuppressed: "active-acknowledged",
};
const FILTERS = ["search", "priority", "transition", "asset", "person"] as const;
const FORMATS = ["csv", "xlsx", "parquet"] as const;
const EXPORT_MAX = 100_000;

function columnsOf(t: Say<typeof alarmWords>, say: ReturnType<typeof useSay>, zone: ReturnType<typeof useZone>): Column<AlarmEvent>[] {
  return [
    { key: "time", title: t("time"), width: "160px", cell: ({ time_ms }) => <span className="ms-num">{zone.full(time_ms)}</span> },
    { key: "sign", title: "", width: "40px", cell: (event) => <AlarmSign priority={event.priority} state={SIGN_STATES[event.transition]} /> },
    { key: "event", title: t("transition"), width: "112px", cell: ({ transition }) => t(transitionWord(transition)) },
    { key: "alarm", title: t("alarm"), width: "minmax(180px, 3fr)", cell: ({ name }) => say(name) },
    {
      key: "value",
      title: t("valueLimit"),
      width: "minmax(200px, 1.2fr)",
      end: true,
      cell: (event) => <span className="ms-num"><AlarmValue alarm={event} /></span>,
    },
    {
      key: "place",
      title: t("tagPlace"),
      width: "minmax(160px, 2fr)",
      cell: ({ tag_name, place }) => (
        <>
          {tag_name} <span className="ms-third">{say(place)}</span>
        </>
      ),
    },
    { key: "by", title: t("who"), width: "120px", cell: ({ by }) => by },
    { key: "comment", title: t("comment"), width: "minmax(120px, 1fr)", cell: ({ comment }) => comment },
  ];
}

/** The range and the filters as the server is asked for them. */
function queryOf(range: string, fixed: { start: number; end: number }, sifted: Record<string, string>) {
  const end_ms = range === "fixed" ? fixed.end : Date.now() + 60_000;
  const told = Object.fromEntries(Object.entries(sifted).filter(([, value]) => value !== ""));
  return { start_ms: range === "fixed" ? fixed.start : end_ms - Number(range) * HOUR_MS, end_ms, ...told };
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
  const { language } = usePreferences();
  const phone = usePhone();
  const [opened, setOpened] = useState(false);
  const sifted = Object.fromEntries(FILTERS.map((name) => [name, search.get(name) ?? ""]));
  const set = (name: string, value: string) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        if (value === "") next.delete(name);
        else next.set(name, value);
        return next;
      },
      { replace: name === "person" || name === "search" },
    );
  const areas = useResource("areas", (signal) => api.get<Overview>("/overview", {}, signal));
  const query = () => queryOf(range, fixed, sifted);
  const key = `${range === "fixed" ? `${fixed.start}-${fixed.end}` : range} ${JSON.stringify(sifted)}`;
  const events = useResource(key, (signal) => api.get<{ items: AlarmEvent[] }>("/alarms/history", { ...query(), limit: LIMIT }, signal));
  const save = (format: string) =>
    void download("GET", "/alarms/history", { query: { ...query(), limit: EXPORT_MAX, format, language } }, `alarms.${format}`).catch(failed);
  return (
    <>
      <div className="ms-filters">
        <Select
          aria-label={t("time")}
          value={range}
          onChange={(value) => set("range", value)}
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
        {phone ? (
          <Button onClick={() => setOpened(!opened)} aria-expanded={opened}>
            {t("filter")}
          </Button>
        ) : null}
        {phone && !opened ? null : (
          <>
            <Input allowClear aria-label={t("searchAlarm")} placeholder={t("searchAlarm")} defaultValue={sifted.search} onPressEnter={(event) => set("search", event.currentTarget.value)} onBlur={(event) => set("search", event.target.value)} />
            <Select
              aria-label={t("priority")}
              value={sifted.priority ?? ""}
              onChange={(value) => set("priority", value)}
              options={[{ value: "", label: t("anyPriority") }, ...PRIORITIES.map((value) => ({ value: value as string, label: t(value) }))]}
            />
            <Select
              aria-label={t("transition")}
              value={sifted.transition ?? ""}
              onChange={(value) => set("transition", value)}
              options={[{ value: "", label: t("anyEvent") }, ...TRANSITIONS.map((value) => ({ value: value as string, label: t(transitionWord(value)) }))]}
            />
            <Select
              aria-label={t("area")}
              value={sifted.asset ?? ""}
              onChange={(value) => set("asset", value)}
              options={[{ value: "", label: t("anyArea") }, ...(areas.value?.areas ?? []).map(({ id, name }) => ({ value: id, label: say(name) }))]}
            />
            <Input allowClear aria-label={t("person")} placeholder={t("person")} defaultValue={sifted.person} onPressEnter={(event) => set("person", event.currentTarget.value)} onBlur={(event) => set("person", event.target.value)} />
          </>
        )}
        <span className="ms-third ms-num">
          {zone.name} {zone.offsetText(fixed.end)}
        </span>
        <span className="ms-grow" />
        <Dropdown menu={{ items: FORMATS.map((format) => ({ key: format, label: t("exportAs", { format: format.toUpperCase() }) })), onClick: ({ key: format }) => save(format) }} trigger={["click"]}>
          <Button aria-haspopup="menu">{t("export")}</Button>
        </Dropdown>
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
                      <span>
                        <AlarmValue alarm={event} />
                      </span>
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
