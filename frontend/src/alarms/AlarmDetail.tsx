import { useState } from "react";
import { useNavigate } from "react-router";
import { Button, Drawer, Input } from "antd";
import { api } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { Elapsed } from "../components/Elapsed";
import { Icon } from "../components/Icon";
import { MiniTrend } from "../components/MiniTrend";
import { PageState } from "../components/PageState";
import { useNarrow } from "../media";
import { useResource } from "../resource";
import { useSession, useZone } from "../session";
import type { Alarm, AlarmEvent } from "../types";
import { useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { AlarmValue } from "./AlarmValue";
import { lengthText, transitionWord } from "./text";
import { type Deed, WorkDialog } from "./WorkDialog";

const MONTH_MS = 30 * 86_400_000;
const AROUND_MS = 600_000;
const EVENTS = 200;
const LIMITS: ReadonlySet<string> = new Set(["HH", "H", "L", "LL"]);
/** What happens to an alarm without a person. */
const UNATTENDED: ReadonlySet<string> = new Set(["unshelved", "suppressed", "unsuppressed"]);
const TIMES = 10;
const LOGGED = 30;
const COMMENT_MAX = 500;

function Line({ event }: { event: AlarmEvent }) {
  const t = useWords(alarmWords);
  const zone = useZone();
  return (
    <li className="ms-row ms-pad-small">
      <span className="ms-num">{zone.full(event.time_ms)}</span>
      <span className="ms-grow">
        {t(transitionWord(event.transition))}
        {event.by ? `, ${event.by}` : ""}
        {event.comment ? <span className="ms-third"> {event.comment}</span> : null}
      </span>
      <span className="ms-num ms-second">{event.by ? null : <AlarmValue alarm={event} />}</span>
    </li>
  );
}

/** The last times it was raised, how long each lasted, and what people did. */
function Events({ alarm, changed_ms, comments }: { alarm: string; changed_ms: number; comments: number }) {
  const t = useWords(alarmWords);
  const zone = useZone();
  const events = useResource(
    `${alarm} ${changed_ms} ${comments}`,
    (signal) => {
      const end_ms = Date.now() + 60_000;
      return api.get<{ items: AlarmEvent[] }>("/alarms/history", { start_ms: end_ms - MONTH_MS, end_ms, alarm, limit: EVENTS }, signal);
    },
  );
  return (
    <PageState state={events} rows={4}>
      {({ items }) => {
        const ends = new Map(items.filter(({ transition }) => transition === "cleared").map(({ raised_ms, time_ms }) => [raised_ms, time_ms]));
        const raised = items.filter(({ transition }) => transition === "raised").slice(0, TIMES);
        const told = items.filter(({ by, transition }) => by !== "" || UNATTENDED.has(transition)).slice(0, LOGGED);
        return (
          <>
            <h3>{t("lastRaised")}</h3>
            {raised.length === 0 ? <p className="ms-third">{t("noEvents")}</p> : null}
            <ul className="ms-list">
              {raised.map((event) => (
                <li key={event.id} className="ms-row ms-pad-small">
                  <span className="ms-num">{zone.full(event.time_ms)}</span>
                  <span className="ms-grow ms-second">
                    {ends.has(event.time_ms) ? t("lasted", { length: lengthText(t, (ends.get(event.time_ms) ?? 0) - event.time_ms) }) : ""}
                  </span>
                  <span className="ms-num ms-second"><AlarmValue alarm={event} /></span>
                </li>
              ))}
            </ul>
            <h3>{t("log")}</h3>
            {told.length === 0 ? <p className="ms-third">{t("noEvents")}</p> : null}
            <ul className="ms-list">
              {told.map((event) => (
                <Line key={event.id} event={event} />
              ))}
            </ul>
          </>
        );
      }}
    </PageState>
  );
}

interface AlarmDetailProps {
  alarm: Alarm | undefined;
  onClose: () => void;
  onAcknowledge: ((alarms: readonly string[], comment?: string) => void) | null;
}

/** What one alarm means, what to do, and what happened before. */
export function AlarmDetail({ alarm, onClose, onAcknowledge }: AlarmDetailProps) {
  const t = useWords(alarmWords);
  const say = useSay();
  const narrow = useNarrow();
  const title = alarm ? (
    <span className="ms-row">
      <AlarmSign priority={alarm.priority} state={alarm.state} />
      <span className="ms-cut">{say(alarm.name)}</span>
    </span>
  ) : null;
  if (!narrow) {
    return alarm ? (
      <aside className="ms-panel ms-detail" aria-label={t("alarm")}>
        <h2 className="ms-row">
          <span className="ms-grow">{title}</span>
          <button type="button" className="ms-plain ms-icon-button" onClick={onClose} aria-label={t("close")}>
            <Icon name="close" size={16} />
          </button>
        </h2>
        <div className="ms-panel-body">
          <Body key={alarm.alarm} alarm={alarm} onAcknowledge={onAcknowledge} />
        </div>
      </aside>
    ) : null;
  }
  return (
    <Drawer
      open={alarm !== undefined}
      onClose={onClose}
      size={480}
      destroyOnHidden
      title={title}
    >
      {alarm ? <Body key={alarm.alarm} alarm={alarm} onAcknowledge={onAcknowledge} /> : null}
    </Drawer>
  );
}

function Body({ alarm, onAcknowledge }: { alarm: Alarm; onAcknowledge: AlarmDetailProps["onAcknowledge"] }) {
  const t = useWords(alarmWords);
  const say = useSay();
  const zone = useZone();
  const navigate = useNavigate();
  const { mayAt } = useSession();
  const [comment, setComment] = useState("");
  const [deed, setDeed] = useState<Deed | null>(null);
  const [comments, setComments] = useState(0);
  const [end] = useState(() => Math.min(alarm.raised_ms + AROUND_MS, Date.now()));
  const open = alarm.state.endsWith("-unacknowledged");
  const around = `/trend?tags=${alarm.tag}&start=${alarm.raised_ms - AROUND_MS}&end=${alarm.raised_ms + AROUND_MS}`;
  return (
    <div className="ms-stack">
      <dl className="ms-facts">
        <dt>{t("valueLimit")}</dt>
        <dd className="ms-num">
          <AlarmValue alarm={alarm} />
        </dd>
        {alarm.replayed ? (
          <>
            <dt>{t("source")}</dt>
            <dd>{t("replayed")}</dd>
          </>
        ) : null}
        <dt>{t("condition")}</dt>
        <dd>{t(alarm.condition)}</dd>
        <dt>{t("priority")}</dt>
        <dd>{t(alarm.priority)}</dd>
        <dt>{t("state")}</dt>
        <dd>
          {t(alarm.state)}
          {alarm.acknowledged_by ? `, ${alarm.acknowledged_by}` : ""}
        </dd>
        <dt>{t("time")}</dt>
        <dd className="ms-num">
          {zone.full(alarm.raised_ms)} {zone.offsetText(alarm.raised_ms)} (<Elapsed sinceMs={alarm.raised_ms} />)
        </dd>
        <dt>{t("tag")}</dt>
        <dd>
          {alarm.tag_name}
          <br />
          <span className="ms-third">{alarm.path}</span>
        </dd>
        <dt>{t("consequence")}</dt>
        <dd>{say(alarm.consequence) || <span className="ms-third">{t("notWritten")}</span>}</dd>
        <dt>{t("response")}</dt>
        <dd>{say(alarm.response) || <span className="ms-third">{t("notWritten")}</span>}</dd>
        {alarm.expression ? (
          <>
            <dt>{t("expression")}</dt>
            <dd className="ms-code">{alarm.expression}</dd>
          </>
        ) : null}
        {alarm.comment ? (
          <>
            <dt>{t("comment")}</dt>
            <dd>{alarm.comment}</dd>
          </>
        ) : null}
      </dl>
      <div className="ms-actions">
        <Button onClick={() => void navigate(around)}>{t("trendAround")}</Button>
        {alarm.asset ? <Button onClick={() => void navigate(`/plant/${alarm.asset}`)}>{t("toAsset")}</Button> : null}
        {onAcknowledge ? <Button onClick={() => setDeed("shelve")}>{t("shelve")}</Button> : null}
        {onAcknowledge ? <Button onClick={() => setDeed("comment")}>{t("addComment")}</Button> : null}
        {mayAt("engineer", alarm.path) ? <Button onClick={() => setDeed("out")}>{t("takeOut")}</Button> : null}
      </div>
      <WorkDialog
        deed={deed}
        alarms={[alarm.alarm]}
        onClose={() => {
          setDeed(null);
          setComments(comments + 1);
        }}
      />
      {open && onAcknowledge ? (
        <div className="ms-row">
          <Input value={comment} maxLength={COMMENT_MAX} placeholder={t("comment")} aria-label={t("comment")} onChange={(event) => setComment(event.target.value)} />
          <Button type="primary" onClick={() => onAcknowledge([alarm.alarm], comment)}>
            {t("acknowledge")}
          </Button>
        </div>
      ) : null}
      <h3>{t("around")}</h3>
      <MiniTrend
        tag={alarm.tag}
        start_ms={alarm.raised_ms - AROUND_MS}
        end_ms={end}
        spans={[{ start_ms: alarm.raised_ms, end_ms: alarm.state.startsWith("cleared") ? alarm.changed_ms : null }]}
        limit={LIMITS.has(alarm.condition) ? alarm.limit : null}
        decimals={alarm.decimals}
        unit={alarm.unit}
      />
      <Events alarm={alarm.alarm} changed_ms={alarm.changed_ms} comments={comments} />
    </div>
  );
}
