import { Link } from "react-router";
import { api } from "../api";
import { Empty, PageState } from "../components/PageState";
import { conditionText } from "../records/query";
import { useResource } from "../resource";
import { useZone } from "../session";
import { useUnits } from "../units";
import { useSay, useWords } from "../words";
import { eventWords } from "../words/events";
import { parametersOf } from "./filters";
import { happenedText, keyOf, msOf, nameText, placeOf, thingsText } from "./read";
import type { Vocabulary } from "./types";
import { Mark } from "./Mark";
import { useEvents, useVocabulary } from "./use-events";
import "./events.css";

function Rows({ uri, vocabulary }: { uri: string; vocabulary: Vocabulary }) {
  const t = useWords(eventWords);
  const say = useSay();
  const zone = useZone();
  const units = useUnits();
  const condition = { field: "thing", compare: "eq", value: uri } as const;
  const { page } = useEvents(parametersOf([condition]));
  const reading = { t, say, units: units.value?.items ?? [], vocabulary };
  const list = `/records/events?where=${encodeURIComponent(conditionText(condition))}`;
  return (
    <PageState state={page} rows={4}>
      {({ items, names, wrong, next }) =>
        items.length === 0 ? <Empty title={t("noneMatchEvents")} /> : (
          <section className="ms-panel ms-gap-top">
            <h2><Link to={list}>{next === "" ? t("eventsCount", { n: items.length }) : t("newestEvents", { n: items.length })}</Link></h2>
            <ul className="ms-list">
              {items.map((event) => (
                <li key={keyOf(event)} className="ms-row ms-wrap ms-event-row">
                  <span className="ms-num ms-second">{zone.full(msOf(event.eventTime)).slice(0, 16)}</span>
                  <Link to={`${list}&event=${encodeURIComponent(event.eventID)}`}>{happenedText(event, reading)}</Link>
                  <Mark event={event} wrong={wrong.has(event.eventID)} />
                  <span className={wrong.has(event.eventID) ? "ms-num ms-event-wrong" : "ms-num"}>{thingsText(event, names, reading)}</span>
                  <span className="ms-second">{placeOf(event) === "" ? "" : nameText(placeOf(event), names, say)}</span>
                </li>
              ))}
            </ul>
          </section>
        )
      }
    </PageState>
  );
}

/** Most lots of an item that the server names with it. */
const LOTS = 10;

/** What happened to an item or a lot, the newest first, as far as its own names tell. */
export function RecordEvents({ id }: { id: string }) {
  const t = useWords(eventWords);
  const vocabulary = useVocabulary();
  const named = useResource(id, (signal) => api.get<{ items: { uri: string }[] }>("/epcis/names", { record: id }, signal), true);
  const [first] = named.value?.items ?? [];
  return (
    <PageState state={named} rows={4}>
      {() =>
        first ? (
          <>
            <PageState state={vocabulary} rows={4}>{(words) => <Rows uri={first.uri} vocabulary={words} />}</PageState>
            <p className="ms-third ms-caption">{first.uri.startsWith("urn:mainspring:item:") ? t("eventsOfItem", { n: LOTS }) : t("eventsOfLot")}</p>
          </>
        ) : <Empty title={t("noneMatchEvents")} />
      }
    </PageState>
  );
}
