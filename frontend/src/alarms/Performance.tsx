import { useState } from "react";
import { Link, useSearchParams } from "react-router";
import { Select } from "antd";
import { api } from "../api";
import { PageState } from "../components/PageState";
import { formatNumber } from "../format/number";
import { useResource } from "../resource";
import { useZone } from "../session";
import type { Words } from "../types";
import { useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";

const HOUR_MS = 3_600_000;
const RANGES = [8, 24, 168, 720];
const FLOODS = 10;
const WIDTH = 800;
const HEIGHT = 120;

interface Named {
  alarm: string;
  name?: Words;
  tag_name?: string;
}

interface Figures {
  start_ms: number;
  end_ms: number;
  raised: number;
  per_h: number;
  good_per_h: number;
  most_per_h: number;
  most_in_10_min: number;
  flood_ratio: number;
  flood_from: number;
  floods: { start_ms: number; end_ms: number; count: number }[];
  top: (Named & { count: number; share: number })[];
  top_share: number;
  standing: (Named & { since_ms: number })[];
  chattering: (Named & { most_in_1_min: number })[];
  hours: { start_ms: number; count: number }[];
  cut: boolean;
}

const percent = (ratio: number) => `${formatNumber(100 * ratio, 1)} %`;

function Hours({ hours }: { hours: Figures["hours"] }) {
  const t = useWords(alarmWords);
  const zone = useZone();
  const most = Math.max(1, ...hours.map(({ count }) => count));
  const width = WIDTH / Math.max(1, hours.length);
  const [first, last] = [hours[0], hours.at(-1)];
  if (!first || !last) return null;
  const text = t("hourly", { from: zone.full(first.start_ms), to: zone.full(last.start_ms), most });
  return (
    <figure className="ms-hours-figure">
      <figcaption className="ms-third ms-caption">{t("hourlyTitle")}</figcaption>
      <span className="ms-hours-scale ms-num ms-third ms-caption" aria-hidden="true">
        <span>{most}</span>
        <span>0</span>
      </span>
      <svg className="ms-hours" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={text}>
        {hours.map(({ start_ms, count }, place) => (
          <rect key={start_ms} x={place * width} width={Math.max(1, width - 1)} y={HEIGHT - (count / most) * HEIGHT} height={(count / most) * HEIGHT}>
            <title>{`${zone.full(start_ms)}: ${count}`}</title>
          </rect>
        ))}
      </svg>
      <span className="ms-hours-times ms-num ms-third ms-caption" aria-hidden="true">
        {[first, hours[Math.floor(hours.length / 2)] ?? first, last].map(({ start_ms }, place) => (
          <span key={place}>{zone.full(start_ms).slice(5, 16)}</span>
        ))}
      </span>
    </figure>
  );
}

function Ranking<T extends Named>({ title, rows, told }: { title: string; rows: readonly T[]; told: (row: T) => string }) {
  const t = useWords(alarmWords);
  const say = useSay();
  return (
    <section className="ms-panel ms-panel-body">
      <h3>{title}</h3>
      {rows.length === 0 ? <p className="ms-third">{t("nothing")}</p> : null}
      <ol className="ms-list">
        {rows.map((row) => (
          <li key={row.alarm} className="ms-row ms-pad-small">
            <span className="ms-grow ms-cut">
              {row.name ? say(row.name) : row.alarm} <span className="ms-third">{row.tag_name}</span>
            </span>
            <span className="ms-num">{told(row)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** How well the alarms serve: what one operator can take, and which alarms take the most. */
export function Performance() {
  const t = useWords(alarmWords);
  const zone = useZone();
  const [search, setSearch] = useSearchParams();
  const [now] = useState(() => Date.now());
  const hours = Number(search.get("range") ?? 24);
  const found = useResource(String(hours), (signal) =>
    api.get<Figures>("/alarms/performance", { start_ms: now - hours * HOUR_MS, end_ms: now }, signal),
  );
  return (
    <>
      <div className="ms-filters">
        <Select
          aria-label={t("time")}
          value={hours}
          onChange={(value) => setSearch({ tab: "performance", range: String(value) })}
          options={RANGES.map((value) => ({ value, label: value > 24 ? t("lastDays", { n: value / 24 }) : t("lastHours", { n: value }) }))}
        />
      </div>
      <PageState state={found} rows={8}>
        {(figures) => (
          <div className="ms-stack ms-scroll">
            {figures.cut ? <p role="status">{t("performanceCut")}</p> : null}
            <dl className="ms-figures">
              <div>
                <dt>{t("perHour")}</dt>
                <dd className="ms-num">{formatNumber(figures.per_h, 1)}</dd>
                <dd className="ms-third">{t("perHourAim", { good: figures.good_per_h, most: figures.most_per_h })}</dd>
              </div>
              <div>
                <dt>{t("worstTen")}</dt>
                <dd className="ms-num">{figures.most_in_10_min}</dd>
                <dd className="ms-third">{t("floodFrom", { n: figures.flood_from })}</dd>
              </div>
              <div>
                <dt>{t("inFlood")}</dt>
                <dd className="ms-num">{percent(figures.flood_ratio)}</dd>
                <dd className="ms-third">{t("aimBelow", { n: "1 %" })}</dd>
              </div>
              <div>
                <dt>{t("raisedCount")}</dt>
                <dd className="ms-num">{figures.raised}</dd>
                <dd className="ms-third">{`${zone.full(figures.start_ms)} - ${zone.full(figures.end_ms)}`}</dd>
              </div>
            </dl>
            <Hours hours={figures.hours} />
            <div className="ms-columns">
              <Ranking title={`${t("topTen")}: ${t("topShare", { n: percent(figures.top_share) })}`} rows={figures.top} told={(row) => `${t("times", { n: row.count })} ${percent(row.share)}`} />
              <Ranking title={`${t("standingOnes")}: ${t("standingAim", { n: figures.standing.length })}`} rows={figures.standing} told={(row) => zone.full(row.since_ms)} />
              <Ranking title={`${t("chatteringOnes")}: ${t("chatteringAim", { n: figures.chattering.length })}`} rows={figures.chattering} told={(row) => t("inMinute", { n: row.most_in_1_min })} />
            </div>
            {figures.floods.length > 0 ? (
              <section className="ms-panel ms-panel-body">
                <h3>{t("floodsTold")}</h3>
                <ol className="ms-list">
                  {figures.floods.slice(-FLOODS).map(({ start_ms, end_ms, count }) => (
                    <li key={start_ms} className="ms-row ms-pad-small">
                      <span className="ms-num ms-grow">{`${zone.full(start_ms)} - ${zone.full(end_ms)}`}</span>
                      <span className="ms-num">{t("floodCount", { n: count })}</span>
                    </li>
                  ))}
                </ol>
              </section>
            ) : null}
            <Link to="/alarms?tab=history">{t("history")}</Link>
          </div>
        )}
      </PageState>
    </>
  );
}
