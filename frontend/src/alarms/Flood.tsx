import { AlarmSign } from "../components/AlarmSign";
import { Elapsed } from "../components/Elapsed";
import { api } from "../api";
import { useResource } from "../resource";
import type { Alarm, Overview } from "../types";
import { useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";
import type { FloodArea } from "./flood-areas";

/** What stands below an area at first: the list has them all. */
const SHOWN = 4;

/** Many alarms at once, by area: the first one is where to look. */
export function Flood({ areas, onOpen }: { areas: readonly FloodArea[]; onOpen: (alarm: Alarm) => void }) {
  const t = useWords(alarmWords);
  const say = useSay();
  const known = useResource("areas", (signal) => api.get<Overview>("/overview", {}, signal));
  const names = new Map(known.value?.areas.map(({ path, name }) => [path, name]));
  const nameOf = (area: string) => say(names.get(area)) || (area.split("/").at(-1) ?? area);
  return (
    <div className="ms-flood">
      {areas.map(({ area, alarms, low }) => (
        <section key={area} className="ms-panel ms-panel-body" aria-label={nameOf(area)}>
          <h3>{nameOf(area)}</h3>
          <ol className="ms-list">
            {alarms.slice(0, SHOWN).map((alarm, place) => (
              <li key={alarm.alarm}>
                <button type="button" className="ms-plain ms-row ms-pad-small" onClick={() => onOpen(alarm)}>
                  <AlarmSign priority={alarm.priority} state={alarm.state} />
                  <span className={place === 0 ? "ms-grow ms-cut ms-bold" : "ms-grow ms-cut"}>{say(alarm.name)}</span>
                  {place === 0 ? <span>{t("firstOut")}</span> : null}
                  <Elapsed sinceMs={alarm.raised_ms} />
                </button>
              </li>
            ))}
          </ol>
          {alarms.length > SHOWN ? <p className="ms-third ms-num">+ {alarms.length - SHOWN}</p> : null}
          {low > 0 ? <p className="ms-third ms-num">{t("lowFolded", { n: low })}</p> : null}
        </section>
      ))}
    </div>
  );
}
