import { useSearchParams } from "react-router";
import { Tabs } from "antd";
import { useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { ActiveAlarms } from "./ActiveAlarms";
import { AlarmHistory } from "./AlarmHistory";
import { Performance } from "./Performance";
import { SilencedAlarms, useSilenced } from "./SilencedAlarms";
import { SoundSwitch } from "./SoundSwitch";
import { useAlarmList } from "./store";
import "./alarms.css";

const TABS = ["active", "shelved", "suppressed", "out-of-service", "history", "performance"] as const;

/** Active alarms, those nobody is told of, and what has been. The active list has no time range: a standing alarm is never out of sight. */
export default function AlarmsPage() {
  const t = useWords(alarmWords);
  const { total, loaded } = useAlarmList();
  const shelved = useSilenced("shelved").value?.total ?? "-";
  const suppressed = useSilenced("suppressed").value?.total ?? "-";
  const out = useSilenced("out-of-service").value?.total ?? "-";
  const [search, setSearch] = useSearchParams();
  const tab = TABS.find((each) => each === search.get("tab")) ?? "active";
  const number = (text: string) => <span className="ms-num">{text}</span>;
  return (
    <div className="ms-page ms-page-full">
      <div className="ms-title">
        <h1>{t("alarms")}</h1>
        <span className="ms-grow" />
        <SoundSwitch />
      </div>
      <Tabs
        activeKey={tab}
        onChange={(key) => setSearch(key === "active" ? {} : { tab: key })}
        items={[
          { key: "active", label: number(t("active", { n: loaded ? total : "-" })) },
          { key: "shelved", label: number(t("shelvedTab", { n: shelved })) },
          { key: "suppressed", label: number(t("suppressedTab", { n: suppressed })) },
          { key: "out-of-service", label: number(t("outTab", { n: out })) },
          { key: "history", label: t("history") },
          { key: "performance", label: t("performance") },
        ]}
      />
      {tab === "active" ? <ActiveAlarms /> : null}
      {tab === "shelved" || tab === "out-of-service" || tab === "suppressed" ? <SilencedAlarms key={tab} view={tab} /> : null}
      {tab === "history" ? <AlarmHistory /> : null}
      {tab === "performance" ? <Performance /> : null}
    </div>
  );
}
