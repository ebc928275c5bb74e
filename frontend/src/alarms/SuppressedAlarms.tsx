import { AlarmSign } from "../components/AlarmSign";
import { Elapsed } from "../components/Elapsed";
import { type Column, Grid } from "../components/Grid";
import { Empty, PageState } from "../components/PageState";
import type { Alarm } from "../types";
import { useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { useSilenced } from "./SilencedAlarms";

/** Why an alarm is suppressed: the reason in words, and the group it belongs to. */
function Reason({ alarm }: { alarm: Alarm }) {
  const say = useSay();
  const { suppression } = alarm;
  if (!suppression) return null;
  return (
    <span>
      {say(suppression.reason)} <span className="ms-third">{suppression.name ? say(suppression.name) : ""}</span>
    </span>
  );
}

/** Alarms suppressed by design: the plant's condition silences them, and they come back when it ends. */
export function SuppressedAlarms() {
  const t = useWords(alarmWords);
  const say = useSay();
  const found = useSilenced("suppressed");
  const since = ({ since_ms }: Alarm) => (since_ms ? <Elapsed sinceMs={since_ms} /> : null);
  const columns: Column<Alarm>[] = [
    { key: "sign", title: "", width: "40px", cell: ({ priority, state }) => <AlarmSign priority={priority} state={state} /> },
    { key: "alarm", title: t("alarm"), width: "minmax(180px, 3fr)", cell: ({ name }) => <span className="ms-struck">{say(name)}</span> },
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
    { key: "holds", title: t("state"), width: "160px", cell: ({ active }) => t(active ? "holdsNow" : "holdsNot") },
    { key: "since", title: t("since"), width: "100px", end: true, cell: since },
    { key: "reason", title: t("reason"), width: "minmax(180px, 3fr)", cell: (alarm) => <Reason alarm={alarm} /> },
    { key: "while", title: t("while"), width: "minmax(200px, 4fr)", cell: ({ suppression }) => <span className="ms-code">{suppression?.expression}</span> },
  ];
  return (
    <PageState state={found} rows={8}>
      {({ items }) => (
        <div className="ms-panel ms-grid-place">
          <Grid
            label={t("suppressedLabel")}
            columns={columns}
            rows={items}
            rowKey={({ alarm }) => alarm}
            phone={(alarm) => (
              <>
                <span className="ms-row">
                  <AlarmSign priority={alarm.priority} state={alarm.state} />
                  <span className="ms-struck ms-cut ms-grow">{say(alarm.name)}</span>
                  {since(alarm)}
                </span>
                <span className="ms-second ms-caption ms-cut">
                  <Reason alarm={alarm} />
                </span>
              </>
            )}
            empty={<Empty title={t("noSuppressed")} text={t("noSuppressedText")} />}
          />
        </div>
      )}
    </PageState>
  );
}
