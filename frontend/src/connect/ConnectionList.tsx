import { useState } from "react";
import { useNavigate } from "react-router";
import { Button, Input } from "antd";
import { type Column, Grid } from "../components/Grid";
import { Empty, NoneMatch, PageState } from "../components/PageState";
import { Replayed } from "../components/Replayed";
import { ageText } from "../format/time";
import { formatNumber } from "../format/number";
import { live } from "../live";
import { useSession, useZone } from "../session";
import { type Say, useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { ConnectTabs } from "./ConnectTabs";
import { addressText } from "./schema";
import { StateMark } from "./StateMark";
import type { Connection, Health } from "./types";
import { useConnections, useDrivers, useDriverTitle } from "./use-connections";

export type Told = Say<typeof connectWords>;

/** Figures mean something only while the gateway reports on the connection. */
const reports = ({ health }: Connection) => health.state !== "disabled" && health.state !== "unknown";
/** A connection that is not there has no round trip. */
export const roundTripText = ({ state, round_trip_ms }: Health) => (state === "connected" && round_trip_ms > 0 ? `${formatNumber(round_trip_ms, 1)} ms` : "–");
/** How much a connection refused, where nothing else is wrong. */
function refusedText({ refused }: Health, t: Told): string {
  const n = refused.reduce((sum, { count }) => sum + count, 0);
  return n === 0 ? "" : t("refusedSum", { n });
}
export const rateText = (value: number) => formatNumber(value, value < 100 ? 1 : 0);

function Name({ connection: { name, replayed } }: { connection: Connection }) {
  return (
    <>
      {replayed ? <Replayed /> : null} <span className="ms-bold" title={name}>{name}</span>
    </>
  );
}

interface Tools {
  t: Told;
  title: (driver: string) => string;
  age: (ms: number | null) => string;
  trouble: (connection: Connection) => string;
}

function columnsOf({ t, title, age, trouble }: Tools): Column<Connection>[] {
  const figure = (connection: Connection, text: string) => <span className="ms-num">{reports(connection) ? text : "–"}</span>;
  return [
    { key: "state", title: t("state"), width: "112px", cell: ({ health }) => <StateMark state={health.state} /> },
    { key: "name", title: t("name"), width: "minmax(170px, 1.6fr)", cell: (row) => <Name connection={row} /> },
    { key: "protocol", title: t("protocol"), width: "minmax(150px, 1fr)", cell: ({ driver }) => <span title={title(driver)}>{title(driver)}</span> },
    { key: "address", title: t("address"), width: "minmax(190px, 1.8fr)", cell: ({ settings }) => <span className="ms-code" title={addressText(settings)}>{addressText(settings)}</span> },
    { key: "rate", title: t("valuesRate"), width: "80px", end: true, cell: (row) => figure(row, rateText(row.health.samples_per_s)) },
    { key: "errors", title: t("errorsRate"), width: "88px", end: true, cell: (row) => figure(row, rateText(row.health.errors_per_min)) },
    { key: "trip", title: t("roundTrip"), width: "92px", end: true, cell: (row) => figure(row, roundTripText(row.health)) },
    { key: "age", title: t("lastValue"), width: "88px", end: true, cell: ({ health }) => <span className="ms-num ms-third">{age(health.last_sample_ms)}</span> },
    {
      key: "error",
      title: t("lastError"),
      width: "minmax(130px, 1.6fr)",
      cell: (row) => (
        <span className="ms-second" title={trouble(row)}>
          {trouble(row)}
        </span>
      ),
    },
    { key: "gateway", title: t("gateway"), width: "76px", cell: ({ gateway }) => gateway },
  ];
}

function PhoneRow({ connection, tools }: { connection: Connection; tools: Tools }) {
  const trouble = tools.trouble(connection);
  return (
    <>
      <span className="ms-row">
        <span className="ms-cut ms-grow">
          <Name connection={connection} />
        </span>
        <StateMark state={connection.health.state} />
      </span>
      <span className="ms-row ms-caption ms-second">
        <span className="ms-cut ms-grow">{trouble || [tools.title(connection.driver), addressText(connection.settings)].filter(Boolean).join(" · ")}</span>
        <span className="ms-num">{tools.age(connection.health.last_sample_ms)}</span>
      </span>
    </>
  );
}

const matches = (connection: Connection, search: string) =>
  [connection.name, addressText(connection.settings), connection.driver, connection.gateway].some((text) => text.toLowerCase().includes(search));

/** All connections, broken first. */
export function ConnectionList() {
  const t = useWords(connectWords);
  const say = useSay();
  const zone = useZone();
  const navigate = useNavigate();
  const { may } = useSession();
  const { state, rows, outOfOrder, sortAgain } = useConnections();
  const drivers = useDrivers();
  const title = useDriverTitle(drivers.value);
  const [text, setText] = useState("");
  const search = text.trim().toLowerCase();
  const shown = search === "" ? rows : rows.filter((row) => matches(row, search));
  const tools: Tools = {
    t,
    title,
    age: (ms) => (ms === null ? "–" : ageText(ms, live.now(), zone)),
    trouble: ({ health }) => say(health.text) || (health.state === "unknown" ? t("unknownText") : refusedText(health, t)),
  };
  const add = may("engineer") ? (
    <Button type="primary" className="ms-main-action" onClick={() => void navigate("/connect/new")}>
      {t("addConnection")}
    </Button>
  ) : null;
  return (
    <div className="ms-page ms-page-full">
      <div className="ms-title">
        <h1>{t("connections")}</h1>
      </div>
      <ConnectTabs />
      <PageState state={state} rows={6}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t("emptyTitle")} text={t("emptyText")} action={add} />
          ) : (
            <>
              <div className="ms-filters">
                <Input allowClear value={text} onChange={(event) => setText(event.target.value)} placeholder={t("findConnection")} aria-label={t("findConnection")} />
                <span className="ms-grow" />
                {outOfOrder ? <Button onClick={sortAgain}>{t("sortAgain")}</Button> : null}
                {add}
              </div>
              <div className="ms-panel ms-grid-place">
                <Grid
                  label={t("connectionsLabel")}
                  columns={columnsOf(tools)}
                  rows={shown}
                  rowKey={({ id }) => id}
                  onOpen={({ id }) => void navigate(`/connect/${id}`)}
                  phone={(connection) => <PhoneRow connection={connection} tools={tools} />}
                  empty={<NoneMatch total={items.length} onClear={() => setText("")} />}
                />
              </div>
            </>
          )
        }
      </PageState>
    </div>
  );
}
