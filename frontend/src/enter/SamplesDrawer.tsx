import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { Button, Drawer, Select, Tabs } from "antd";
import { Loading } from "../components/PageState";
import { LiveAge, QualityValue } from "../components/QualityValue";
import { formatOf } from "../components/value-text";
import { live, useLiveSet } from "../live";
import { useResource } from "../resource";
import { useSession } from "../session";
import type { Tag } from "../types";
import { useSay, useWords } from "../words";
import { enterWords } from "../words/enter";
import { CorrectDialog } from "./CorrectDialog";
import { EnterForm } from "./EnterForm";
import { CorrectionTable, EntryTable, SampleTable } from "./SampleTables";
import { TimeInState } from "./TimeInState";
import { SAMPLES_MAX, type Sample, type Span, readRaw } from "./samples";
import "./enter.css";

const BlobView = lazy(() => import("./BlobView"));

const HOUR = 3_600_000;
const SPANS = { lastHour: HOUR, lastDay: 24 * HOUR, lastWeek: 168 * HOUR, lastMonth: 720 * HOUR, lastYear: 8760 * HOUR } as const;
type SpanName = keyof typeof SPANS | "spanGiven";
/** What people enter may lie a minute ahead of our clock. */
const AHEAD = 60_000;
/** The history has what was entered a moment after the feed has. */
const STORED_AFTER_MS = [1500, 3000, 6000];

interface SamplesDrawerProps {
  tag: Tag | null;
  /** The range that is looked at where the drawer was opened. */
  span?: Span;
  onClose: () => void;
}

/** The samples of one tag: enter, correct, and see who did; files and waveforms. */
export default function SamplesDrawer({ tag, span, onClose }: SamplesDrawerProps) {
  const t = useWords(enterWords);
  const say = useSay();
  return (
    <Drawer open={tag !== null} onClose={onClose} title={tag ? t("samplesOf", { name: tag.name }) : ""} size={720} destroyOnHidden>
      {tag ? (
        <>
          {say(tag.description) ? <p className="ms-second">{say(tag.description)}</p> : null}
          <Content key={tag.tag} tag={tag} {...(span && { given: span })} />
        </>
      ) : null}
    </Drawer>
  );
}

function Content({ tag, given }: { tag: Tag; given?: Span }) {
  const t = useWords(enterWords);
  const { may } = useSession();
  const [name, setName] = useState<SpanName>(given ? "spanGiven" : "lastDay");
  const [round, setRound] = useState(0);
  const [entering, setEntering] = useState(false);
  const [correcting, setCorrecting] = useState<Sample | null>(null);
  const [viewed, setViewed] = useState<Sample["value"]>(null);
  useLiveSet([tag.tag]);
  const span = useMemo<Span>(() => {
    const end_ms = live.now() + AHEAD;
    return name === "spanGiven" && given ? given : { start_ms: end_ms - SPANS[name === "spanGiven" ? "lastDay" : name], end_ms };
    // Asked anew with each round, so that the newest is inside.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [name, given, round]);
  const samples = useResource(`${tag.tag} ${span.start_ms} ${span.end_ms} ${round}`, async (signal) => {
    const found = await readRaw([tag], span, SAMPLES_MAX, signal);
    return (found.get(tag.tag) ?? []).reverse();
  });
  const [due, setDue] = useState(0);
  useEffect(() => {
    if (due === 0) return;
    const timers = STORED_AFTER_MS.map((ms) => setTimeout(() => setRound((count) => count + 1), ms));
    return () => timers.forEach(clearTimeout);
  }, [due]);
  const changed = () => {
    setRound((count) => count + 1);
    setDue((count) => count + 1);
  };
  const drawn = tag.kind === "blob" || tag.kind === "array";
  const newest = samples.value?.find(({ value }) => value !== null && value !== "")?.value ?? null;
  const mayEnter = may(tag.connection === null ? "operator" : "engineer");
  const options = (given ? (["spanGiven", ...Object.keys(SPANS)] as SpanName[]) : (Object.keys(SPANS) as SpanName[])).map((each) => ({ value: each, label: t(each) }));
  return (
    <div className="ms-stack">
      <div className="ms-row">
        <span className="ms-grow">
          <QualityValue tag={tag.tag} format={formatOf(tag)} width={0} /> <LiveAge tag={tag.tag} />
        </span>
        {mayEnter && !entering ? <Button onClick={() => setEntering(true)}>{t("enterValue")}</Button> : null}
      </div>
      {entering ? <EnterForm tag={tag} onEntered={changed} onClose={() => setEntering(false)} /> : null}
      {drawn && (viewed ?? newest) !== null ? (
        <Suspense fallback={<Loading rows={4} />}>
          <BlobView value={viewed ?? newest} />
        </Suspense>
      ) : null}
      <div className="ms-row">
        <span className="ms-second">{t("spanShown")}</span>
        <Select value={name} onChange={setName} options={options} aria-label={t("spanShown")} popupMatchSelectWidth={false} />
      </div>
      {tag.kind === "enumeration" || tag.kind === "boolean" ? <TimeInState tag={tag} span={span} round={round} /> : null}
      <Tabs
        items={[
          { key: "samples", label: t("samples"), children: <SampleTable tag={tag} samples={samples} onCorrect={setCorrecting} onView={setViewed} /> },
          { key: "corrections", label: t("corrections"), children: <CorrectionTable tag={tag} span={span} round={round} /> },
          { key: "entries", label: t("entries"), children: <EntryTable tag={tag} round={round} /> },
        ]}
      />
      <CorrectDialog
        tag={tag}
        sample={correcting}
        onClose={() => setCorrecting(null)}
        onDone={() => {
          setCorrecting(null);
          changed();
        }}
      />
    </div>
  );
}
