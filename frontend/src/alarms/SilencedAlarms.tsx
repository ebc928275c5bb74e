import { type ReactNode, useEffect, useState } from "react";
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

/** Why an alarm is suppressed: the reason in words, and the group it belongs to. */
function Reason({ alarm: { suppression } }: { alarm: Alarm }) {
  const say = useSay();
  if (!suppression) return null;
  return (
    <span>
      {say(suppression.reason)} <span className="ms-third">{suppression.name ? say(suppression.name) : ""}</span>
    </span>
  );
}

const since = ({ since_ms }: Alarm) => (since_ms ? <Elapsed sinceMs={since_ms} /> : null);
const left = ({ until_ms }: Alarm) => (until_ms ? <Left until_ms={until_ms} /> : null);

/** The button that ends the silence; what is suppressed by design ends by itself. */
function useReturn(view: Silenced) {
  const t = useWords(alarmWords);
  const work = useAlarmWork();
  const { may } = useSession();
  const [returning, setReturning] = useState<string | null>(null);
  const isShelf = view === "shelved";
  const act = (alarm: Alarm) =>
    view !== "suppressed" && may(isShelf ? "operator" : "engineer") ? (
      <Button size="small" onClick={() => (isShelf ? void work("unshelve", { alarms: [alarm.alarm] }, t("unshelvedDone")) : setReturning(alarm.alarm))}>
        {t(isShelf ? "unshelve" : "returnService")}
      </Button>
    ) : null;
  const dialog = <WorkDialog deed={returning === null ? null : "return"} alarms={returning === null ? [] : [returning]} onClose={() => setReturning(null)} />;
  return { act, dialog };
}

/** What each view has beside the alarm, its place and whether its condition holds. */
function useOwnColumns(view: Silenced, act: (alarm: Alarm) => ReactNode): Column<Alarm>[] {
  const t = useWords(alarmWords);
  const zone = useZone();
  const began: Column<Alarm> = { key: "since", title: t("since"), width: "100px", end: true, cell: since };
  if (view === "suppressed") {
    return [
      began,
      { key: "reason", title: t("reason"), width: "minmax(180px, 3fr)", cell: (alarm) => <Reason alarm={alarm} /> },
      { key: "while", title: t("while"), width: "minmax(200px, 4fr)", cell: ({ suppression }) => <span className="ms-code">{suppression?.expression}</span> },
    ];
  }
  const ends: Column<Alarm>[] = [
    { key: "left", title: t("timeLeft"), width: "100px", end: true, cell: left },
    { key: "until", title: t("until"), width: "160px", cell: ({ until_ms }) => <span className="ms-num">{until_ms ? zone.full(until_ms) : ""}</span> },
  ];
  return [
    ...(view === "shelved" ? ends : [began]),
    { key: "by", title: t("who"), width: "120px", cell: ({ by }) => by },
    { key: "reason", title: t("reason"), width: "minmax(140px, 2fr)", cell: ({ comment }) => comment },
    { key: "act", title: "", width: "150px", cell: act },
  ];
}

const TOLD = {
  shelved: { label: "shelvedLabel", title: "noShelved", text: "noShelvedText" },
  "out-of-service": { label: "outLabel", title: "noOut", text: "noOutText" },
  suppressed: { label: "suppressedLabel", title: "noSuppressed", text: "noSuppressedText" },
} as const;

/** Alarms nobody is told of: shelved by people, out of service, or suppressed by the plant's own condition. */
export function SilencedAlarms({ view }: { view: Silenced }) {
  const t = useWords(alarmWords);
  const say = useSay();
  const found = useSilenced(view);
  const { act, dialog } = useReturn(view);
  const own = useOwnColumns(view, act);
  const struck = view === "suppressed" ? "ms-struck" : "";
  const columns: Column<Alarm>[] = [
    { key: "sign", title: "", width: "40px", cell: ({ priority, state }) => <AlarmSign priority={priority} state={state} /> },
    { key: "alarm", title: t("alarm"), width: "minmax(180px, 3fr)", cell: ({ name }) => <span className={struck}>{say(name)}</span> },
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
    ...own,
  ];
  return (
    <PageState state={found} rows={8}>
      {({ items }) => (
        <div className="ms-panel ms-grid-place">
          <Grid
            label={t(TOLD[view].label)}
            columns={columns}
            rows={items}
            rowKey={({ alarm }) => alarm}
            phone={(alarm) => (
              <>
                <span className="ms-row">
                  <AlarmSign priority={alarm.priority} state={alarm.state} />
                  <span className={`ms-cut ms-grow ${struck}`}>{say(alarm.name)}</span>
                  {view === "shelved" ? left(alarm) : since(alarm)}
                </span>
                <span className="ms-row ms-second ms-caption">
                  <span className="ms-grow ms-cut">{view === "suppressed" ? <Reason alarm={alarm} /> : `${alarm.by}: ${alarm.comment}`}</span>
                  {act(alarm)}
                </span>
              </>
            )}
            empty={<Empty title={t(TOLD[view].title)} text={t(TOLD[view].text)} />}
          />
          {dialog}
        </div>
      )}
    </PageState>
  );
}
