import { useEffect, useRef, useState } from "react";
import { formatOf, plainValue } from "../components/value-text";
import { usePreferences } from "../preferences";
import type { Tag } from "../types";
import { useWords } from "../words";
import { trendWords } from "../words/trend";
import type { Picture } from "./picture";
import { paintState } from "./stateBands";
import { stateLook, stateSpans } from "./states";

const WIDTH = 24;
const HEIGHT = 14;
const SHOWN_MAX = 24;

/** What a band of this state looks like. */
function Swatch({ tag, value }: { tag: Tag; value: number | null }) {
  const { mode } = usePreferences();
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const node = canvas.current;
    const pen = node?.getContext("2d");
    if (!node || !pen) return;
    node.width = WIDTH * devicePixelRatio;
    node.height = HEIGHT * devicePixelRatio;
    paintState(pen, stateLook(tag, value, mode), mode, [0, 0, node.width, node.height]);
  }, [tag, value, mode]);
  return <canvas ref={canvas} className="ms-state-swatch" aria-hidden="true" />;
}

/** The states of a tag that are in the picture, lowest first; null for several within one bucket. */
export function statesOf(picture: Picture, tag: number): (number | null)[] {
  const series = picture.seriesOf(tag);
  if (!series) return [];
  const values = new Set([...series.last, ...series.min, ...series.max].filter((value) => value !== null));
  const found = [...values].sort((left, right) => left - right).slice(0, SHOWN_MAX);
  const mixed = stateSpans(series, picture.bucket_ms, picture.paceOf(tag), Infinity).some(({ value }) => value === null);
  return mixed ? [...found, null] : found;
}

/** Which band means which state, in words, for the states that are in the picture. */
export function StateLegend({ tags, picture }: { tags: readonly Tag[]; picture: Picture }) {
  const t = useWords(trendWords);
  const { language } = usePreferences();
  const [, setKey] = useState("");
  useEffect(() => {
    const look = () => setKey(tags.map(({ tag }) => statesOf(picture, tag).join()).join(";"));
    look();
    return picture.subscribe(look);
  }, [tags, picture]);
  const listed = tags.map((tag) => ({ tag, values: statesOf(picture, tag.tag) })).filter(({ values }) => values.length > 0);
  if (listed.length === 0) return null;
  return (
    <dl className="ms-state-legend ms-caption" aria-label={t("states")}>
      {listed.map(({ tag, values }) => (
        <div key={tag.tag}>
          <dt className="ms-second">{tag.name}</dt>
          {values.map((value) => (
            <dd key={String(value)}>
              <Swatch tag={tag} value={value} /> {value === null ? t("severalStates") : plainValue(value, formatOf(tag), language)}
            </dd>
          ))}
        </div>
      ))}
    </dl>
  );
}
