import { useEffect, useState } from "react";
import { Button } from "antd";
import { api } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { Elapsed } from "../components/Elapsed";
import { type Column, Grid } from "../components/Grid";
import { Empty, PageState } from "../components/PageState";
import { elapsed } from "../format/time";
import { live, useSecond } from "../live";
import { useResource } from "../resource";
import { useSession, useZone } from "../session";
import type { Alarm, AlarmPage } from "../types";
import { useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { useAlarmWork, WorkDialog } from "./WorkDialog";

const LIMIT = 5000;
const GATHER_MS = 300;
const STIRRING: ReadonlySet<string> = new Set(["shelved", "unshelved", "out-of-service", "in-service", "removed", "suppressed", "unsuppressed"]);

export type Silenced = "shelved" | "out-of-service" | "suppressed";

/** Alarms that nobody is told of; read again whenever one comes or goes. */
export function useSilenced(view: Silenced) {
  const found = useResource(view, (signal) => api.get<AlarmPage>("/alarms", { view, limit: LIMIT }, signal));
  const { reload } = found;
  useEffect(() => {
    // A whole group comes or goes at once: the list is read again once for all of it.
    let timer: ReturnType<typeof setTimeout> | null = null;
    const stop = live.onAlarm(({ transition }) => {
      if (!STIRRING.has(transition)) return;
      timer ??= setTimeout(() => {
        timer = null;
        reload();
      }, GATHER_MS);
    });
    return () => {
      stop();
      if (timer !== null) clearTimeout(timer);
    };
  }, [reload]);
  useEffect(() => live.onConnected(reload), [reload]);
  return found;
}

/** Time until an alarm returns, counted down. */
function Left({ until_ms }: { until_ms: number }) {
  const [now, setNow] = useState(() => Date.now());
  useSecond(setNow);
  return <span className="ms-num">{elapsed(Math.max(0, until_ms - now))}</span>;
}

export function SilencedAlarms({ view }: { view: Exclude<Silenced, "suppressed"> }) {
  const t = useWords(alarmWords);
  const say = useSay();
  const zone = useZone();
  const work = useAlarmWork();
  const { may } = useSession();
  const found = useSilenced(view);
  const [returning, setReturning] = useState<string | null>(null);
  const shelved = view === "shelved";
  const act = (alarm: Alarm) =>
    may(shelved ? "operator" : "engineer") ? (
      <Button
        size="small"
        onClick={() => (shelved ? void work("unshelve", { alarms: [alarm.alarm] }, t("unshelvedDone")) : setReturning(alarm.alarm))}
      >
        {t(shelved ? "unshelve" : "returnService")}
      </Button>
    ) : null;
  const time = (alarm: Alarm) =>
    shelved && alarm.until_ms ? <Left until_ms={alarm.until_ms} /> : alarm.since_ms ? <Elapsed sinceMs={alarm.since_ms} /> : null;
  const columns: Column<Alarm>[] = [
    { key: "sign", title: "", width: "40px", cell: ({ priority, state }) => <AlarmSign priority={priority} state={state} /> },
    { key: "alarm", title: t("alarm"), width: "minmax(180px, 3fr)", cell: ({ name }) => say(name) },
    {
      key: "place",
      title: t("tagPlace"),
      width: "minmax(140px, 2fr)",
      cell: ({ tag_name, place }) => (
        <>
          {tag_name} <span className="ms-third">{say(place)}</span>
        </>
      ),
    },
    { key: "holds", title: t("state"), width: "minmax(168px, 1fr)", cell: ({ active }) => t(active ? "holdsNow" : "holdsNot") },
    { key: "left", title: t(shelved ? "timeLeft" : "since"), width: "100px", end: true, cell: time },
    { key: "until", title: shelved ? t("until") : "", width: "160px", cell: ({ until_ms }) => <span className="ms-num">{until_ms ? zone.full(until_ms) : ""}</span> },
    { key: "by", title: t("who"), width: "120px", cell: ({ by }) => by },
    { key: "reason", title: t("reason"), width: "minmax(140px, 2fr)", cell: ({ comment }) => comment },
    { key: "act", title: "", width: "150px", cell: act },
  ];
  return (
    <PageState state={found} rows={8}>
      {({ items }) => (
        <div className="ms-panel ms-grid-place">
          <Grid
            label={t(shelved ? "shelvedLabel" : "outLabel")}
            columns={columns}
            rows={items}
            rowKey={({ alarm }) => alarm}
            phone={(alarm) => (
              <>
                <span className="ms-row">
                  <AlarmSign priority={alarm.priority} state={alarm.state} />
                  <span className="ms-cut ms-grow">{say(alarm.name)}</span>
                  {time(alarm)}
                </span>
                <span className="ms-row ms-second ms-caption">
                  <span className="ms-grow ms-cut">
                    {alarm.by}: {alarm.comment}
                  </span>
                  {act(alarm)}
                </span>
              </>
            )}
            empty={<Empty title={t(shelved ? "noShelved" : "noOut")} text={t(shelved ? "noShelvedText" : "noOutText")} />}
          />
          <WorkDialog deed={returning === null ? null : "return"} alarms={returning === null ? [] : [returning]} onClose={() => setReturning(null)} />
        </div>
      )}
    </PageState>
  );
}
