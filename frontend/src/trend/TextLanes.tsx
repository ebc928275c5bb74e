import { lazy, Suspense, useEffect, useMemo, useState } from "react";
import { Popover } from "antd";
import { Loading } from "../components/PageState";
import { formatOf, plainValue } from "../components/value-text";
import { type Sample, readRaw, signsOf } from "../enter/samples";
import { live } from "../live";
import { usePreferences } from "../preferences";
import { useZone } from "../session";
import type { Tag } from "../types";
import { useWords } from "../words";
import { enterWords } from "../words/enter";
import type { Picture } from "./picture";
import type { Zoom } from "./range";
import { type TextSpan, spansOf } from "./texts";

const BlobView = lazy(() => import("../enter/BlobView"));

export const TEXT_LANE_HEIGHT = 28;
const LIMIT = 5000;
const SETTLE_MS = 200;
const AGAIN_MS = 10_000;
/** A text that holds since before the picture is looked for this far back. */
const LOOK_BACK_MS = 86_400_000;
const SIGN_WIDTH = 24;

/** The span of the picture, renewed when it moved by a pixel. */
function useSpan(picture: Picture, width: number): Zoom {
  const [span, setSpan] = useState<Zoom>(picture.span);
  useEffect(
    () =>
      picture.subscribe(() =>
        setSpan((before) => {
          const pixel = (picture.span.end_ms - picture.span.start_ms) / Math.max(width, 1);
          const moved = Math.abs(picture.span.end_ms - before.end_ms) + Math.abs(picture.span.start_ms - before.start_ms);
          return moved < pixel ? before : picture.span;
        }),
      ),
    [picture, width],
  );
  return span;
}

/** Texts of the span, read when it settles and now and then while it slides. */
function useTexts(tags: readonly Tag[], picture: Picture, span: Zoom): ReadonlyMap<number, readonly Sample[]> {
  const [found, setFound] = useState<ReadonlyMap<number, readonly Sample[]>>(new Map());
  const length = span.end_ms - span.start_ms;
  const step = Math.floor(span.end_ms / Math.max(AGAIN_MS, length / 50));
  useEffect(() => {
    if (tags.length === 0) return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      const { start_ms, end_ms } = picture.span;
      readRaw(tags, { start_ms: Math.max(0, start_ms - LOOK_BACK_MS), end_ms: end_ms + 1 }, LIMIT, abort.signal).then(setFound, () => undefined);
    }, SETTLE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [tags, picture, step, length]);
  return found;
}

function Told({ tag, span, text }: { tag: Tag; span: TextSpan; text: string }) {
  const t = useWords(enterWords);
  const zone = useZone();
  const drawn = tag.kind !== "text";
  return (
    <div className={drawn ? "ms-trend-blob" : "ms-trend-wrong"}>
      <p>
        {text} {signsOf(span.origin, span.flags)}
      </p>
      <p className="ms-caption ms-third ms-num">
        {t("time")}: {zone.full(span.start_ms)}
      </p>
      {drawn ? (
        <Suspense fallback={<Loading rows={3} />}>
          <BlobView value={span.value} />
        </Suspense>
      ) : null}
    </div>
  );
}

interface TextLanesProps {
  tags: readonly Tag[];
  picture: Picture;
  left: number;
  width: number;
}

/** What has no line: texts as spans, files and arrays as signs where they were taken. */
export function TextLanes({ tags, picture, left, width }: TextLanesProps) {
  const span = useSpan(picture, width);
  const texts = useTexts(tags, picture, span);
  useEffect(() => {
    for (const tag of tags) picture.takeTexts(tag.tag, texts.get(tag.tag) ?? []);
  }, [tags, picture, texts]);
  return tags.map((tag) => <TextLane key={tag.tag} tag={tag} samples={texts.get(tag.tag) ?? []} span={span} left={left} width={width} />);
}

function TextLane({ tag, samples, span, left, width }: { tag: Tag; samples: readonly Sample[]; span: Zoom; left: number; width: number }) {
  const t = useWords(enterWords);
  const zone = useZone();
  const { language } = usePreferences();
  const spans = useMemo(() => spansOf(samples, tag.kind === "text", Math.min(span.end_ms, Math.max(live.now(), span.start_ms))), [samples, tag.kind, span]);
  const place = (at_ms: number) => (width * (Math.min(Math.max(at_ms, span.start_ms), span.end_ms) - span.start_ms)) / Math.max(span.end_ms - span.start_ms, 1);
  const shown = spans.filter(({ start_ms, end_ms }) => end_ms >= span.start_ms && start_ms < span.end_ms);
  return (
    <div className="ms-trend-alarms ms-trend-text" style={{ height: TEXT_LANE_HEIGHT }}>
      <span className="ms-trend-alarms-name ms-caption ms-third ms-cut">{tag.name}</span>
      <ul style={{ insetInlineStart: left, width }} aria-label={tag.name}>
        {shown.map((each) => {
          const text = plainValue(each.value, formatOf(tag), language);
          const from = place(each.start_ms);
          const room = tag.kind === "text" ? Math.max(place(each.end_ms) - from, 2) : SIGN_WIDTH;
          return (
            <li key={each.start_ms} style={{ insetInlineStart: Math.min(from, width - 2), width: Math.min(room, width - from) }}>
              <Popover trigger="click" destroyOnHidden content={<Told tag={tag} span={each} text={text} />}>
                <button type="button" className="ms-plain ms-trend-span ms-cut" aria-label={t("textLane", { name: tag.name, text, time: zone.full(each.start_ms) })}>
                  {tag.kind === "text" ? text : "∿"}
                </button>
              </Popover>
            </li>
          );
        })}
      </ul>
    </div>
  );
}
