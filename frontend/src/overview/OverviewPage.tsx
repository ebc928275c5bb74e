import { useEffect } from "react";
import { Link, useNavigate } from "react-router";
import { Button } from "antd";
import { AlarmValue } from "../alarms/AlarmValue";
import { useAlarmList } from "../alarms/store";
import { api } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { Elapsed } from "../components/Elapsed";
import { Empty, PageState } from "../components/PageState";
import { Replayed } from "../components/Replayed";
import { formatBytes, formatCount } from "../format/number";
import { ageText, shortAge } from "../format/time";
import { live } from "../live";
import { usePhone } from "../media";
import { useResource } from "../resource";
import { useSession, useZone } from "../session";
import { PRIORITIES, type Priority } from "../theme/tokens";
import type { Alarm, AlarmState, Overview, OverviewArea } from "../types";
import { useSay, useWords } from "../words";
import { overviewWords } from "../words/overview";
import "./overview.css";

const RENEW_MS = 5000;
const FLOOD_FROM = 10;
const WORST_MAX = 8;
const CALLING: readonly AlarmState[] = ["active-unacknowledged", "active-acknowledged", "cleared-unacknowledged", "normal"];

/** Areas with the worse alarms first; among equals the server's order stays. */
export function worstFirst(areas: readonly OverviewArea[]): OverviewArea[] {
  const rank = (area: OverviewArea) => PRIORITIES.map((priority) => area.alarms[priority] ?? 0);
  return [...areas].sort((one, other) => {
    const mine = rank(one);
    const theirs = rank(other);
    const differs = mine.findIndex((count, index) => count !== theirs[index]);
    return differs < 0 ? other.bad_count - one.bad_count : (theirs[differs] ?? 0) - (mine[differs] ?? 0);
  });
}

/** Whether alarms of a priority still call for someone: one that is cleared or acknowledged is drawn hollow. */
export function signStates(alarms: readonly Alarm[], path: string): Partial<Record<Priority, AlarmState>> {
  const states: Partial<Record<Priority, AlarmState>> = {};
  for (const { priority, state, path: of } of alarms) {
    const worse = CALLING.indexOf(state) < CALLING.indexOf(states[priority] ?? "normal");
    if (worse && of.startsWith(`${path}/`)) states[priority] = state;
  }
  return states;
}

function Areas({ areas }: { areas: readonly OverviewArea[] }) {
  const { alarms } = useAlarmList();
  const t = useWords(overviewWords);
  const say = useSay();
  const navigate = useNavigate();
  return (
    <section className="ms-panel ms-scroll">
      <table className="ms-table" aria-label={t("tableLabel")}>
        <thead>
          <tr>
            <th>{t("area")}</th>
            <th>{t("alarms")}</th>
            <th className="ms-grid-end">{t("tags")}</th>
            <th className="ms-grid-end">{t("badTags")}</th>
          </tr>
        </thead>
        <tbody>
          {worstFirst(areas).map((area) => ({ ...area, states: signStates(alarms, area.path) })).map((area) => (
            <tr key={area.id} className="ms-clickable" onClick={() => void navigate(`/plant/${area.id}`)}>
              <td>
                <Link to={`/plant/${area.id}`} className="ms-quiet-link ms-bold" onClick={(event) => event.stopPropagation()}>
                  {say(area.name)}
                </Link>
              </td>
              <td>
                <span className="ms-row ms-area-alarms ms-num">
                  {PRIORITIES.filter((priority) => (area.alarms[priority] ?? 0) > 0).map((priority) => (
                    <span key={priority} className="ms-row ms-tight">
                      <AlarmSign priority={priority} state={area.states[priority] ?? "active-unacknowledged"} size={18} />
                      {area.alarms[priority]}
                    </span>
                  ))}
                </span>
              </td>
              <td className="ms-num ms-grid-end">{formatCount(area.tag_count)}</td>
              <td className="ms-num ms-grid-end">{area.bad_count > 0 ? `✕ ${formatCount(area.bad_count)}` : ""}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Figure({ label, value, note }: { label: string; value: string; note?: string }) {
  return (
    <div className="ms-figure">
      <span className="ms-second ms-caption">{label}</span>
      <span className="ms-figure-value ms-num">{value}</span>
      <span className="ms-third ms-caption">{note || "\u00a0"}</span>
    </div>
  );
}

function Sources({ sources }: { sources: Overview["sources"] }) {
  const t = useWords(overviewWords);
  const say = useSay();
  const zone = useZone();
  const { may } = useSession();
  const seesAll = may("viewer");
  return (
    <section className="ms-panel">
      <h2 className="ms-row ms-wrap">
        {seesAll ? (
          <Link to="/connect" className="ms-quiet-link">
            {t("sources")}
          </Link>
        ) : (
          <span>{t("sources")}</span>
        )}
        <span className="ms-second ms-num ms-normal">{t("sourcesLive", { live: sources.live, total: sources.total })}</span>
        {sources.replayed > 0 ? (
          <span className="ms-second ms-num ms-normal">
            <Replayed /> {t("sourcesReplayed", { n: sources.replayed })}
          </span>
        ) : null}
      </h2>
      <div className="ms-panel-body">
        {sources.lost.length === 0 ? <p className="ms-second">{t("allLive")}</p> : null}
        <ul className="ms-list">
          {sources.lost.map((lost) => (
            <li key={lost.id} className="ms-pad-small">
              {seesAll ? (
                <Link to={`/connect/${lost.id}`} className="ms-bold">
                  {lost.name}
                </Link>
              ) : (
                <span className="ms-bold">{lost.name}</span>
              )}{" "}
              {lost.replayed ? <Replayed /> : null}{" "}
              {lost.since_ms === null ? null : <span className="ms-num">{t("downFor", { age: ageText(lost.since_ms, live.now(), zone) })}</span>}
              <div className="ms-second">{say(lost.text)}</div>
            </li>
          ))}
        </ul>
      </div>
    </section>
  );
}

function System({ overview }: { overview: Overview }) {
  const t = useWords(overviewWords);
  const zone = useZone();
  const { may } = useSession();
  const { history, lag_ms, disk } = overview;
  return (
    <section className="ms-panel">
      <h2>{t("system")}</h2>
      <dl className="ms-facts ms-panel-body ms-num">
        <dt>{t("lag")}</dt>
        <dd>{lag_ms === null ? t("unknown") : (shortAge(lag_ms) ?? "> 1 h")}</dd>
        {disk || may("viewer") ? (
          <>
            <dt>{t("disk")}</dt>
            <dd>{disk ? `${Math.round((disk.used_bytes / (disk.used_bytes + disk.free_bytes)) * 100)} %` : t("unknown")}</dd>
          </>
        ) : null}
        {history ? (
          <>
            <dt>{t("samples")}</dt>
            <dd>{formatCount(history.samples)}</dd>
            <dt>{t("size")}</dt>
            <dd>{formatBytes(history.bytes_on_disk)}</dd>
            <dt>{t("oldest")}</dt>
            <dd>{history.oldest_ms ? zone.full(history.oldest_ms).slice(0, 16) : t("unknown")}</dd>
          </>
        ) : null}
      </dl>
    </section>
  );
}

function Worst() {
  const t = useWords(overviewWords);
  const say = useSay();
  const { alarms } = useAlarmList();
  return (
    <section className="ms-panel ms-blink">
      <h2 className="ms-row">
        <span className="ms-grow">{t("worst")}</span>
        <Link to="/alarms" className="ms-normal">
          {t("allAlarms")}
        </Link>
      </h2>
      {alarms.length === 0 ? <p className="ms-panel-body ms-second">{t("noAlarms")}</p> : null}
      <ul className="ms-list">
        {alarms.slice(0, WORST_MAX).map((alarm) => (
          <li key={alarm.alarm}>
            <Link to={`/alarms?alarm=${alarm.alarm}`} className="ms-row ms-quiet-link ms-worst ms-inset">
              <AlarmSign priority={alarm.priority} state={alarm.state} />
              <span className={alarm.state.endsWith("-unacknowledged") ? "ms-bold ms-cut ms-grow" : "ms-cut ms-grow"}>{say(alarm.name)}</span>
              <span className="ms-num ms-second"><AlarmValue alarm={alarm} /></span>
              <span className="ms-worst-age">
                <Elapsed sinceMs={alarm.raised_ms} />
              </span>
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Is the plant all right, and what first? */
export default function OverviewPage() {
  const t = useWords(overviewWords);
  const say = useSay();
  const phone = usePhone();
  const { site, may } = useSession();
  const navigate = useNavigate();
  const countOr = (count: number | null) => (count === null ? t("unknown") : formatCount(count));
  const overview = useResource("overview", (signal) => api.get<Overview>("/overview", {}, signal));
  const { reload } = overview;
  useEffect(() => {
    const timer = setInterval(() => !document.hidden && reload(), RENEW_MS);
    return () => clearInterval(timer);
  }, [reload]);
  return (
    <div className="ms-page">
      <h1 className={phone ? "" : "ms-hidden"}>{phone ? say(site.name) : t("overview")}</h1>
      <PageState state={overview} rows={10}>
        {(value) =>
          value.areas.length === 0 && value.sources.total === 0 ? (
            <Empty
              title={t("emptyTitle")}
              text={t("emptyText")}
              action={
                may("viewer") ? (
                  <Button type="primary" onClick={() => void navigate("/connect")}>
                    {t("connectDevice")}
                  </Button>
                ) : null
              }
            />
          ) : (
            <div className="ms-overview">
              <div className="ms-stack">
                <section className="ms-panel ms-figures">
                  <Figure label={t("alarmRate")} value={countOr(value.alarm_rate_per_h)} note={t("alarmAim")} />
                  <Figure label={t("lastTen")} value={countOr(value.alarms_last_10_min)} />
                  <Figure
                    label={t("flood")}
                    value={(value.alarms_last_10_min ?? 0) >= FLOOD_FROM ? countOr(value.alarms_last_10_min) : t("floodNone")}
                    note={(value.alarms_last_10_min ?? 0) >= FLOOD_FROM ? t("floodUnit") : ""}
                  />
                  <Figure label={t("sources")} value={`${value.sources.live} / ${value.sources.total}`} />
                </section>
                <Areas areas={value.areas} />
              </div>
              <div className="ms-stack">
                <Worst />
                <Sources sources={value.sources} />
                <System overview={value} />
              </div>
            </div>
          )
        }
      </PageState>
    </div>
  );
}
