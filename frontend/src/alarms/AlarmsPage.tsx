import { useSearchParams } from "react-router";
import { Tabs } from "antd";
import { useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { ActiveAlarms } from "./ActiveAlarms";
import { AlarmHistory } from "./AlarmHistory";
import { useAlarmList } from "./store";

/** Active alarms, and what has been. The active list has no time range: a standing alarm is never out of sight. */
export default function AlarmsPage() {
  const t = useWords(alarmWords);
  const { total, loaded } = useAlarmList();
  const [search, setSearch] = useSearchParams();
  const tab = search.get("tab") === "history" ? "history" : "active";
  return (
    <div className="ms-page ms-page-full">
      <div className="ms-title">
        <h1>{t("alarms")}</h1>
      </div>
      <Tabs
        activeKey={tab}
        onChange={(key) => setSearch(key === "history" ? { tab: key } : {})}
        items={[
          { key: "active", label: <span className="ms-num">{t("active", { n: loaded ? total : "-" })}</span> },
          { key: "history", label: t("history") },
        ]}
      />
      {tab === "active" ? <ActiveAlarms /> : <AlarmHistory />}
    </div>
  );
}
