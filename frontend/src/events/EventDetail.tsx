import { Fragment, type ReactNode, useState } from "react";
import { Link } from "react-router";
import { App, Button, Drawer } from "antd";
import { PageState } from "../components/PageState";
import { exactText } from "../records/value-text";
import { wayTo } from "../records/use-kind";
import { useZone } from "../session";
import { written } from "../units";
import { useWords } from "../words";
import { eventWords } from "../words/events";
import { DeclareDrawer } from "./DeclareDrawer";
import { amountText, happenedText, kindText, lotIn, msOf, type Reading, tail, thingsOf, wordOf } from "./read";
import { type EpcisEvent, type Names, ROLES } from "./types";
import { useEvent, type Whole } from "./use-events";

/** Fields that have a place of their own; all others are shown as they are. */
const KNOWN = new Set([
  "@context", "type", "eventID", "eventTime", "eventTimeZoneOffset", "recordTime", "errorDeclaration", "action", "bizStep", "disposition", "persistentDisposition", "readPoint", "bizLocation",
  "bizTransactionList", "sourceList", "destinationList", "sensorElementList", "epcList", "quantityList", "parentID", "childEPCs", "childQuantityList", "inputEPCList", "inputQuantityList",
  "outputEPCList", "outputQuantityList", "ilmd",
]);

/** A name in an event: the records it means as links, then itself. */
function NameOf({ uri, names, reading, amount = "" }: { uri: string; names: Names; reading: Reading; amount?: string }) {
  const records = names[uri] ?? [];
  const lot = records.length === 1 && records[0]?.kind === "item" ? lotIn(uri) : "";
  return (
    <>
      {records.length === 0 ? tail(uri) : records.map(({ kind, id, name }, index) => {
        const way = wayTo(kind, id);
        return <Fragment key={id}>{index === 0 ? "" : " "}{way ? <Link to={way}>{reading.say(name)}</Link> : reading.say(name)}</Fragment>;
      })}
      {lot === "" ? null : ` ${lot}`}
      {amount === "" ? null : <span className="ms-num"> · {amount}</span>}
      {records.length === 0 && tail(uri) === uri ? null : <span className="ms-code ms-third ms-event-name">{uri}</span>}
    </>
  );
}

function Facts({ title, facts }: { title: string; facts: readonly (readonly [string, ReactNode])[] }) {
  const told = facts.filter(([, value]) => value !== "" && value !== null && value !== undefined);
  if (told.length === 0) return null;
  return (
    <section>
      <h2>{title}</h2>
      <dl className="ms-facts ms-event-facts">
        {told.map(([name, value], index) => (
          <Fragment key={`${name} ${index}`}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </Fragment>
        ))}
      </dl>
    </section>
  );
}

/** A field of somebody's own, or of a part that has no words here, in one line. */
function plainText(value: unknown): string {
  return typeof value === "string" ? value : typeof value === "number" ? exactText(value) : JSON.stringify(value);
}

function sensorFacts({ sensorElementList = [] }: EpcisEvent, { vocabulary, units }: Reading): [string, string][] {
  return sensorElementList.flatMap(({ sensorReport }) =>
    sensorReport.map(({ type, exception, value, uom, ...others }): [string, string] => {
      const unit = typeof uom === "string" ? written(vocabulary.units[uom] ?? uom, units) : "";
      const rest = Object.entries(others).map(([name, each]) => `${name}: ${plainText(each)}`);
      return [plainText(type ?? exception ?? ""), [`${value === undefined ? "" : plainText(value)} ${unit}`.trim(), ...rest].filter((part) => part !== "").join(", ")];
    }),
  );
}

/** The way to another event, by what says which it is. */
function ToEvent({ id, onOpen }: { id: string; onOpen: (id: string) => void }) {
  const t = useWords(eventWords);
  return (
    <span className="ms-event-name">
      <Button type="link" size="small" className="ms-inline-link" onClick={() => onOpen(id)}>{t("openEvent")}</Button> <span className="ms-code ms-third">{id}</span>
    </span>
  );
}

function Corrections({ whole, reading, onOpen }: { whole: Whole; reading: Reading; onOpen: (id: string) => void }) {
  const { t } = reading;
  const zone = useZone();
  const { event, declaration, corrects } = whole;
  const said = declaration?.errorDeclaration;
  const others = said?.correctiveEventIDs ?? [];
  if (!said && corrects.length === 0) return null;
  return (
    <div className="ms-panel ms-panel-body ms-stack" role="note">
      {said ? (
        <div>
          <p className="ms-bold">{event.errorDeclaration ? t("notCome") : t("declaredAt", { time: zone.full(msOf(said.declarationTime)) })}</p>
          {said.reason ? <p>{t("declaredWhy", { reason: wordOf("reason", said.reason, reading) })}</p> : null}
          <p>{t(others.length > 0 ? "replacedBy" : "noReplacement")}</p>
          {others.map((id) => <ToEvent key={id} id={id} onOpen={onOpen} />)}
        </div>
      ) : null}
      {corrects.length > 0 ? (
        <div>
          <p className="ms-bold">{t("insteadOf")}</p>
          {corrects.map(({ eventID }) => <ToEvent key={eventID} id={eventID} onOpen={onOpen} />)}
        </div>
      ) : null}
    </div>
  );
}

function Json({ event }: { event: EpcisEvent }) {
  const t = useWords(eventWords);
  const { message } = App.useApp();
  const [shown, setShown] = useState(false);
  const text = JSON.stringify(event, null, 2);
  const copy = () => void navigator.clipboard?.writeText(text).then(() => message.success(t("copied")));
  return (
    <section className="ms-stack">
      <div className="ms-actions">
        <Button aria-expanded={shown} onClick={() => setShown(!shown)}>{t(shown ? "hideJson" : "showJson")}</Button>
        <Button onClick={copy}>{t("copyJson")}</Button>
      </div>
      {shown ? <pre className="ms-code ms-event-json" tabIndex={0} role="group" aria-label={t("jsonLd")}>{text}</pre> : null}
    </section>
  );
}

function Body({ whole, reading, onOpen }: { whole: Whole; reading: Reading; onOpen: (id: string) => void }) {
  const { t } = reading;
  const zone = useZone();
  const { event, names } = whole;
  const things = thingsOf(event);
  const name = (uri: string | undefined) => (uri ? <NameOf uri={uri} names={names} reading={reading} /> : null);
  const at = msOf(event.eventTime);
  // Where it happened clocks may stand otherwise than in this plant.
  const there = /T(\d\d:\d\d)/.exec(event.eventTime)?.[1] ?? "";
  const elsewhere = !event.eventTime.endsWith("Z") && there !== zone.time(at).slice(0, 5);
  const lasting = [
    ...(event.persistentDisposition?.set ?? []).map((word) => t("setTo", { words: wordOf("disposition", word, reading) })),
    ...(event.persistentDisposition?.unset ?? []).map((word) => t("unsetOf", { words: wordOf("disposition", word, reading) })),
  ];
  return (
    <div className="ms-stack">
      <Corrections whole={whole} reading={reading} onOpen={onOpen} />
      <Facts
        title={t("things")}
        facts={ROLES.flatMap((role) => {
          const of = things.filter((thing) => thing.role === role);
          if (of.length === 0) return [];
          const list = <ul className="ms-event-things">{of.map((thing) => <li key={thing.uri}><NameOf uri={thing.uri} names={names} reading={reading} amount={amountText(thing, reading)} /></li>)}</ul>;
          return [[t(`role_${role}`), list] as const];
        })}
      />
      <Facts
        title={t("when")}
        facts={[
          [t("happenedAt"), <span key="at" className="ms-num">{zone.full(at)} {zone.offsetText(at)}{elsewhere ? `, ${t("happenedThere", { time: `${there} ${event.eventTimeZoneOffset}` })}` : ""}</span>],
          [t("recordedAt"), <span key="recorded" className="ms-num">{zone.full(msOf(event.recordTime))} {zone.offsetText(msOf(event.recordTime))}</span>],
        ]}
      />
      <Facts title={t("where")} facts={[[t("readPoint"), name(event.readPoint?.id)], [t("bizLocation"), name(event.bizLocation?.id)]]} />
      <Facts
        title={t("why")}
        facts={[
          [t("bizStep"), wordOf("bizStep", event.bizStep, reading)],
          [t("disposition"), wordOf("disposition", event.disposition, reading)],
          [t("persistent"), lasting.join("; ")],
          ...(event.bizTransactionList ?? []).map(({ type, bizTransaction }) => [wordOf("transaction", type, reading) || t("documentPlain"), name(bizTransaction)] as const),
          ...(event.sourceList ?? []).map(({ type, source }) => [t("from", { what: wordOf("party", type, reading) }), name(source)] as const),
          ...(event.destinationList ?? []).map(({ type, destination }) => [t("to", { what: wordOf("party", type, reading) }), name(destination)] as const),
        ]}
      />
      <Facts
        title={t("how")}
        facts={[
          ...sensorFacts(event, reading),
          ...Object.entries(event.ilmd ?? {}).map(([field, value]) => [field, plainText(value)] as const),
          ...Object.entries(event).filter(([field]) => !KNOWN.has(field)).map(([field, value]) => [field === "certificationInfo" ? t("certification") : field, plainText(value)] as const),
        ]}
      />
      <Facts title={t("identifier")} facts={[[t("eventType"), kindText(event, reading)], ["eventID", <span key="id" className="ms-code">{event.eventID}</span>]]} />
      <Json event={event} />
    </div>
  );
}

interface EventDetailProps {
  /** Of the event, null while none is open. */
  id: string | null;
  reading: Reading;
  mayEnter: boolean;
  onOpen: (id: string | null) => void;
  onChanged: () => void;
}

/** One event: what, when, where, why and how, and what became of it. */
export function EventDetail({ id, reading, mayEnter, onOpen, onChanged }: EventDetailProps) {
  const { t } = reading;
  const [declaring, setDeclaring] = useState(false);
  const whole = useEvent(id);
  const { value } = whole;
  const stands = value && !value.declaration;
  const changed = () => {
    whole.reload();
    onChanged();
  };
  return (
    <Drawer
      open={id !== null}
      onClose={() => onOpen(null)}
      title={value ? happenedText(value.event, reading) : t("event")}
      size={560}
      destroyOnHidden
      extra={stands && mayEnter ? <Button onClick={() => setDeclaring(true)}>{t("declare")}</Button> : null}
    >
      <PageState state={whole} rows={10}>
        {(found) => (
          <>
            <Body key={found.event.eventID} whole={found} reading={reading} onOpen={onOpen} />
            {stands && !mayEnter ? <p className="ms-third ms-caption ms-gap-top">{t("mayNotDeclare")}</p> : null}
          </>
        )}
      </PageState>
      {value && declaring ? <DeclareDrawer event={value.event} reading={reading} onClose={() => setDeclaring(false)} onDeclared={changed} /> : null}
    </Drawer>
  );
}
