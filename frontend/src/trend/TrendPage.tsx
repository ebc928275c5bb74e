import { Suspense, lazy, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { Button } from "antd";
import { api, reasonOf } from "../api";
import { Banner, Empty, Failure, Loading, StaleBanner } from "../components/PageState";
import { live } from "../live";
import { useNarrow, usePhone } from "../media";
import { usePreferences } from "../preferences";
import { useResource } from "../resource";
import { useZone } from "../session";
import type { Page, Tag } from "../types";
import { useSay, useWords } from "../words";
import { trendWords } from "../words/trend";
import { AddTags } from "./AddTags";
import { AsTable } from "./AsTable";
import { Chart } from "./Chart";
import { ExportDialog } from "./ExportDialog";
import { Foot } from "./Foot";
import { LANES_MAX, LINES_MAX, colourSlots, drawable, lanesOf } from "./lanes";
import { Cursors, Picture } from "./picture";
import { type Range, type Zoom, panned, resolve, zoomed } from "./range";
import { Readout } from "./Readout";
import { StateLegend } from "./StateLegend";
import { TrendBar } from "./TrendBar";
import { useAlarmBars } from "./useAlarmBars";
import { useHistory, useLivePicture } from "./useHistory";
import { useSize } from "./useSize";
import { useTrendKeys } from "./useTrendKeys";
import { DEFAULT_RANGE, keepSlots, keptSlots, useView, youngRange } from "./view";
import { spanText } from "./zone";
import "./trend.css";

const SamplesDrawer = lazy(() => import("../enter/SamplesDrawer"));

const COMMIT_MIN_MS = 10;

function fixed(span: Zoom): Range {
  const start_ms = Math.round(span.start_ms);
  return { kind: "fixed", start_ms, end_ms: Math.max(Math.round(span.end_ms), start_ms + COMMIT_MIN_MS) };
}

export default function TrendPage() {
  const t = useWords(trendWords);
  const { view, change } = useView();
  const key = view.tags.join();
  const found = useResource(key === "" ? null : key, (signal) => api.get<Page<Tag>>("/tags/by-ordinal", { tags: key }, signal));
  const byNumber = useMemo(() => new Map((found.value?.items ?? []).map((tag) => [tag.tag, tag])), [found.value]);
  const tags = useMemo(() => view.tags.map((tag) => byNumber.get(tag)).filter((tag) => tag !== undefined), [view.tags, byNumber]);
  const add = (fresh: readonly Tag[]) => {
    found.set((page) => ({ items: [...(page?.items ?? []), ...fresh], total: 0 }));
    change({ tags: [...view.tags, ...fresh.map(({ tag }) => tag)] }, "push");
  };
  useEffect(() => {
    document.title = `${t("title")} - Mainspring`;
  }, [t]);
  if (view.tags.length === 0) {
    return (
      <section className="ms-page">
        <Empty page title={t("emptyTitle")} text={t("emptyText")} action={<AddTags shown={view.tags} onAdd={add} />} />
      </section>
    );
  }
  if (tags.length === 0 && found.error) return <Failure error={found.error} onRetry={found.reload} />;
  if (!found.value) return <Loading rows={10} />;
  const gone = found.loading ? 0 : view.tags.length - tags.length;
  return (
    <div className="ms-trend-frame">
      <StaleBanner />
      {gone > 0 ? (
        <Banner action={<Button size="small" onClick={() => change({ tags: tags.map(({ tag }) => tag) }, "replace")}>{t("close")}</Button>}>
          {t("tagsGone", { n: gone })}
        </Banner>
      ) : null}
      <Board tags={tags} onAdd={add} control={{ view, change }} />
    </div>
  );
}

interface BoardProps {
  tags: readonly Tag[];
  onAdd: (tags: readonly Tag[]) => void;
  control: ReturnType<typeof useView>;
}

function Board({ tags, onAdd, control: { view, change } }: BoardProps) {
  const t = useWords(trendWords);
  const say = useSay();
  const zone = useZone();
  const phone = usePhone();
  const narrow = useNarrow();
  const { language } = usePreferences();
  const [draft, setDraft] = useState<Zoom | null>(null);
  const [alarmsHidden, setAlarmsHidden] = useState(0);
  const [exporting, setExporting] = useState(false);
  const [listed, setListed] = useState<Tag | null>(null);
  const texts = useMemo(() => tags.filter(({ kind, tag }) => !drawable(kind) && !view.hidden.has(tag)), [tags, view.hidden]);
  const [chart, size] = useSize<HTMLDivElement>();
  const resolved = resolve(view.range, live.now(), zone);
  const isLive = resolved.live && draft === null;
  const [picture] = useState(() => new Picture({ start_ms: resolved.start_ms, end_ms: resolved.end_ms }));
  const [cursors] = useState(() => new Cursors(view.a, view.b));
  const span = draft ?? (isLive ? picture.span : { start_ms: resolved.start_ms, end_ms: resolved.end_ms });
  useLivePicture(picture, tags, view.range, zone, isLive);
  useLayoutEffect(() => {
    if (!isLive) picture.show({ start_ms: span.start_ms, end_ms: span.end_ms });
  }, [picture, isLive, span.start_ms, span.end_ms]);
  useEffect(() => cursors.place(view.a, view.b), [cursors, view.a, view.b]);
  const asked = isLive ? resolved : span;
  const reading = useHistory(picture, tags, asked, isLive, view.compare_ms, size.width);
  const { chosen } = view;
  useEffect(() => {
    if (reading.round !== 1 || chosen) return;
    const range = youngRange(picture.firstOf(tags), live.now());
    if (range) change({ range }, "replace");
  }, [reading.round, chosen, picture, tags, change]);
  const numbers = useMemo(() => tags.map(({ tag }) => tag), [tags]);
  const alarms = useAlarmBars(numbers, asked, isLive);
  const lanes = useMemo(() => lanesOf(tags, view.mode, phone ? 1 : LANES_MAX), [tags, view.mode, phone]);
  const slots = useMemo(() => colourSlots(numbers, keptSlots()), [numbers]);
  useEffect(() => keepSlots(slots), [slots]);
  const byNumber = useMemo(() => new Map(tags.map((tag) => [tag.tag, tag])), [tags]);

  const goTo = (next: Zoom, done: boolean) => {
    if (!done) {
      setDraft(next);
      return;
    }
    setDraft(null);
    change({ range: fixed(next) }, "push");
  };
  const zoom = (factor: number) => {
    const middle = (picture.span.start_ms + picture.span.end_ms) / 2;
    goTo(zoomed(picture.span, factor, isLive ? picture.span.end_ms : middle, picture.oldest_ms, live.now()), true);
  };
  const pan = (share: number) => goTo(panned(picture.span, share, picture.oldest_ms, live.now()), true);
  const beforePause = useRef<Range | null>(null);
  const toggleLive = () => {
    setDraft(null);
    if (isLive) {
      beforePause.current = view.range;
      change({ range: fixed(picture.span) }, "push");
    } else change({ range: beforePause.current ?? DEFAULT_RANGE }, "push");
  };
  const toggle = (tag: number) => {
    const hidden = new Set(view.hidden);
    if (!hidden.delete(tag)) hidden.add(tag);
    change({ hidden }, "replace");
  };
  const drop = (tag: number) => {
    const hidden = new Set(view.hidden);
    hidden.delete(tag);
    change({ tags: view.tags.filter((each) => each !== tag), hidden }, "push");
  };
  const place = () => change({ a: cursors.a, b: cursors.b }, "replace");
  const toggleCursors = () => {
    const { start_ms, end_ms } = picture.span;
    const length = end_ms - start_ms;
    if (cursors.a !== null || cursors.b !== null) cursors.place(null, null);
    else cursors.place(start_ms + length / 3, start_ms + (2 * length) / 3);
    place();
  };
  useTrendKeys({
    pan,
    zoom,
    live: toggleLive,
    line: (index) => {
      const tag = view.tags[index];
      if (tag !== undefined) toggle(tag);
    },
    escape: () => {
      if (cursors.a === null && cursors.b === null) return false;
      cursors.place(null, null);
      place();
      return true;
    },
  });
  const crowded = lanes.find((lane) => !lane.states && lane.tags.filter((tag) => !view.hidden.has(tag)).length > LINES_MAX);
  const banded = useMemo(() => {
    const seen = new Set(lanes.flatMap((lane) => (lane.states ? lane.tags : [])));
    return tags.filter(({ tag }) => seen.has(tag) && !view.hidden.has(tag));
  }, [lanes, tags, view.hidden]);
  const alarmsFailed = alarms.error ? say(reasonOf(alarms.error)) : "";
  const told = t("chartLabel", { n: tags.length, span: spanText(span.start_ms, span.end_ms, live.now(), zone) });
  const readout = (
    <aside className="ms-panel ms-trend-side">
      <Readout
        tags={tags}
        lanes={lanes}
        slots={slots}
        hidden={view.hidden}
        picture={picture}
        cursors={cursors}
        pinned={view.a !== null}
        onToggle={toggle}
        onDrop={drop}
        onSamples={setListed}
      />
      <StateLegend tags={banded} picture={picture} />
      <AddTags shown={view.tags} onAdd={onAdd} />
      <Foot alarmsHidden={view.table ? 0 : alarmsHidden} picture={picture} tags={tags} hidden={view.hidden} reading={reading} compare_ms={view.compare_ms} language={language} zone={zone} />
    </aside>
  );
  return (
    <section className="ms-page ms-trend" data-narrow={narrow}>
      <h1 className="ms-hidden">{t("title")}</h1>
      <TrendBar
        view={view}
        isLive={isLive}
        picture={picture}
        cursors={view.a !== null || view.b !== null}
        onRange={(range) => {
          setDraft(null);
          change({ range }, "push");
        }}
        onPan={pan}
        onZoom={zoom}
        onLive={toggleLive}
        onMode={(mode) => change({ mode }, "replace")}
        onCompare={(compare_ms) => change({ compare_ms }, "replace")}
        onTable={(table) => change({ table }, "replace")}
        onCursors={toggleCursors}
        onExport={() => setExporting(true)}
      />
      {reading.error ? (
        <Banner action={<Button size="small" onClick={reading.reload}>{t("tryAgain")}</Button>}>
          {t("oldContent", { reason: say(reasonOf(reading.error)) })}
        </Banner>
      ) : null}
      {crowded && !view.table && view.mode !== "each" ? (
        <Banner action={<Button size="small" onClick={() => change({ mode: "each" }, "replace")}>{t("laneEach")}</Button>}>
          {t("proposeLanes", { n: crowded.tags.length })}
        </Banner>
      ) : null}
      <div className="ms-trend-board">
        <div className="ms-panel ms-trend-main" data-loading={reading.loading}>
          <div ref={chart} className={view.table ? "ms-trend-hold ms-trend-hold-table" : "ms-trend-hold"}>
            {view.table ? (
              <AsTable tags={tags} picture={picture} round={reading.round} onSamples={setListed} />
            ) : size.width > 0 ? (
              <Chart
                lanes={lanes}
                tags={byNumber}
                texts={texts}
                slots={slots}
                hidden={view.hidden}
                picture={picture}
                cursors={cursors}
                bars={alarms.bars}
                alarmsFailed={alarmsFailed}
                onAlarmsHidden={setAlarmsHidden}
                round={reading.round}
                width={size.width}
                height={Math.max(size.height, 320)}
                told={told}
                onPlace={place}
                onStrip={goTo}
                gestures={{
                  draft: setDraft,
                  commit: (next) => goTo(next, true),
                  hover: (at_ms) => cursors.point(at_ms),
                  click: (at_ms) => {
                    cursors.click(at_ms);
                    place();
                  },
                  out: () => zoom(2),
                  clamp: (next, factor, around_ms) => zoomed(next, factor, around_ms, picture.oldest_ms, live.now()),
                }}
              />
            ) : null}
          </div>
        </div>
        {readout}
      </div>
      {listed ? (
        <Suspense fallback={null}>
          <SamplesDrawer tag={listed} span={picture.span} onClose={() => setListed(null)} />
        </Suspense>
      ) : null}
      {exporting ? (
        <ExportDialog tags={numbers} span={picture.span} bucket_ms={picture.bucket_ms} onClose={() => setExporting(false)} />
      ) : null}
    </section>
  );
}
