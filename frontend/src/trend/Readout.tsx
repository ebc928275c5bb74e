import { useEffect, useRef } from "react";
import { Button } from "antd";
import { QualityValue } from "../components/QualityValue";
import { formatOf, plainValue } from "../components/value-text";
import { formatNumber, widthOf } from "../format/number";
import { usePhone } from "../media";
import { usePreferences } from "../preferences";
import type { Tag } from "../types";
import { useSay, useWords } from "../words";
import { trendWords } from "../words/trend";
import { signsOfMarks } from "../enter/samples";
import { type Cell, marksAt, valueAt } from "./columns";
import { COLOURS, type Lane, drawable } from "./lanes";
import type { Cursors, Picture } from "./picture";

const NONE = "-";

/** A share in words that is never rounded to nothing. */
export function shareText(bad: number, good: number): string {
  if (bad === 0) return "0 %";
  const share = (100 * bad) / Math.max(bad + good, 1);
  return share < 0.1 ? "<0.1 %" : `${share < 10 ? share.toFixed(1) : Math.round(share)} %`;
}

/** The sample of a line: colour, and dashes from the ninth on; of states: a band. */
export function LineKey({ slot, hidden, band }: { slot: number; hidden: boolean; band: boolean }) {
  if (band) {
    return (
      <svg width="20" height="12" viewBox="0 0 20 12" aria-hidden="true" className="ms-trend-key" data-hidden={hidden}>
        <rect x="0.5" y="2.5" width="11" height="7" fill="var(--ms-second)" stroke="var(--ms-second)" />
        <rect x="11.5" y="2.5" width="8" height="7" fill="none" stroke="var(--ms-second)" />
      </svg>
    );
  }
  return (
    <svg width="20" height="12" viewBox="0 0 20 12" aria-hidden="true" className="ms-trend-key" data-hidden={hidden}>
      <line x1="0" y1="6" x2="20" y2="6" stroke={`var(--ms-series-${(slot % COLOURS) + 1})`} strokeWidth="3" strokeDasharray={slot >= COLOURS ? "6 3" : undefined} />
    </svg>
  );
}

interface RowProps {
  tag: Tag;
  index: number;
  slot: number;
  side: string;
  /** Its states are drawn as a band. */
  band: boolean;
  /** Which axis a line belongs to is only asked where a lane has several. */
  axes: boolean;
  hidden: boolean;
  picture: Picture;
  cursors: Cursors;
  onToggle: (tag: number) => void;
  onDrop: (tag: number) => void;
  onSamples: (tag: Tag) => void;
}

const FIGURES = ["at", "diff", "min", "max", "mean", "bad"] as const;
type Figure = (typeof FIGURES)[number];

/** The figures of one tag, as text. */
export function figures(tag: Tag, picture: Picture, cursors: Cursors, language: "en" | "zh"): Record<Figure, string> {
  const none = { at: NONE, diff: NONE, min: NONE, max: NONE, mean: NONE, bad: NONE };
  const series = picture.seriesOf(tag.tag);
  const pointed = cursors.a ?? cursors.hover;
  if (!series) {
    const said = pointed === null ? null : picture.textAt(tag.tag, pointed);
    return said === null ? none : { ...none, at: plainValue(said, formatOf(tag), language) };
  }
  const pace = picture.paceOf(tag.tag);
  const text = (cell: Cell) => (cell === null ? NONE : plainValue(cell, formatOf(tag), language));
  const read = (at_ms: number | null) => (at_ms === null ? null : valueAt(series, picture.bucket_ms, at_ms, pace));
  const a = read(pointed);
  const signs = a === null || pointed === null ? "" : signsOfMarks(marksAt(series, picture.bucket_ms, pointed));
  const b = read(cursors.b ?? (cursors.a === null ? null : cursors.hover));
  const sum = picture.summaryOf(tag.tag);
  const diff = a === null || b === null || pace.discrete ? null : b - a;
  return {
    at: signs ? `${signs} ${text(a)}` : text(a),
    diff: diff === null ? NONE : `${diff > 0 ? "+" : ""}${formatNumber(diff, tag.decimals)}`,
    min: text(sum?.min ?? null),
    max: text(sum?.max ?? null),
    mean: pace.discrete || !sum || sum.mean === null ? NONE : formatNumber(sum.mean, tag.decimals),
    bad: !sum || sum.good + sum.bad === 0 ? NONE : shareText(sum.bad, sum.good),
  };
}

function useFigures(tag: Tag, picture: Picture, cursors: Cursors) {
  const { language } = usePreferences();
  const nodes = useRef<Partial<Record<Figure, HTMLElement | null>>>({});
  useEffect(() => {
    let frame = 0;
    const write = () => {
      frame = 0;
      const found = figures(tag, picture, cursors, language);
      for (const name of FIGURES) {
        const node = nodes.current[name];
        if (node && node.textContent !== found[name]) node.textContent = found[name];
      }
    };
    const soon = () => {
      if (frame === 0) frame = requestAnimationFrame(write);
    };
    write();
    const stops = [picture.subscribe(soon), cursors.subscribe(soon)];
    return () => {
      cancelAnimationFrame(frame);
      stops.forEach((stop) => stop());
    };
  }, [tag, picture, cursors, language]);
  return (name: Figure) => (node: HTMLElement | null) => {
    nodes.current[name] = node;
  };
}

function NameCell({ tag, index, slot, hidden, band, onToggle }: Pick<RowProps, "tag" | "index" | "slot" | "hidden" | "band" | "onToggle">) {
  const t = useWords(trendWords);
  const say = useSay();
  const label = t(hidden ? "showLine" : "hideLine", { name: tag.name });
  return (
    <button type="button" className="ms-plain ms-trend-name" aria-pressed={!hidden} aria-label={label} title={`${tag.path}\n${say(tag.description)}\n${index < 9 ? index + 1 : ""}`} onClick={() => onToggle(tag.tag)}>
      <LineKey slot={slot} hidden={hidden} band={band} />
      <span className="ms-cut">{tag.name}</span>
    </button>
  );
}

function Row(props: RowProps) {
  const { tag, side, axes, hidden, picture, cursors, onDrop } = props;
  const t = useWords(trendWords);
  const put = useFigures(tag, picture, cursors);
  const drop = (
    <span className="ms-row ms-trend-row-actions">
      <Button size="small" type="text" aria-label={t("samplesOf", { name: tag.name })} title={t("samplesOf", { name: tag.name })} onClick={() => props.onSamples(tag)}>
        ≡
      </Button>
      <Button size="small" type="text" aria-label={t("dropTag", { name: tag.name })} onClick={() => onDrop(tag.tag)}>
        ✕
      </Button>
    </span>
  );
  return (
    <tr data-hidden={hidden}>
      <th scope="row">
        <NameCell {...props} />
      </th>
      <td className="ms-trend-now">
        <QualityValue tag={tag.tag} format={formatOf(tag)} width={widthOf(tag.low, tag.high, tag.decimals)} />
      </td>
      {FIGURES.map((name) => (
        <td key={name} ref={put(name)} className="ms-num ms-grid-end">
          {NONE}
        </td>
      ))}
      {axes ? <td className="ms-third">{drawable(tag.kind) ? side : t("notDrawn")}</td> : null}
      <td>{drop}</td>
    </tr>
  );
}

function PhoneRow(props: RowProps) {
  const { tag, picture, cursors, onDrop } = props;
  const t = useWords(trendWords);
  const put = useFigures(tag, picture, cursors);
  return (
    <li className="ms-trend-phone-row">
      <div className="ms-row">
        <span className="ms-grow">
          <NameCell {...props} />
        </span>
        <QualityValue tag={tag.tag} format={formatOf(tag)} width={5} />
        <Button type="text" aria-label={t("samplesOf", { name: tag.name })} onClick={() => props.onSamples(tag)}>
          ≡
        </Button>
        <Button type="text" aria-label={t("dropTag", { name: tag.name })} onClick={() => onDrop(tag.tag)}>
          ✕
        </Button>
      </div>
      <dl className="ms-trend-phone-figures ms-num ms-caption">
        {(["at", "diff", "min", "max", "mean", "bad"] as const).map((name) => (
          <div key={name}>
            <dt className="ms-third">{name === "at" ? t("atPointer") : name === "bad" ? t("badColumn") : t(name)}</dt>
            <dd ref={put(name)}>{NONE}</dd>
          </div>
        ))}
      </dl>
    </li>
  );
}

export interface ReadoutProps {
  tags: readonly Tag[];
  lanes: readonly Lane[];
  slots: ReadonlyMap<number, number>;
  hidden: ReadonlySet<number>;
  picture: Picture;
  cursors: Cursors;
  pinned: boolean;
  onToggle: (tag: number) => void;
  onDrop: (tag: number) => void;
  onSamples: (tag: Tag) => void;
}

/** The numbers beside the chart: now, at the cursor, between both cursors, and over the whole span. */
export function Readout({ tags, lanes, slots, pinned, hidden, ...rest }: ReadoutProps) {
  const t = useWords(trendWords);
  const phone = usePhone();
  const sides = new Map(lanes.flatMap(({ scales }) => scales.flatMap(({ side, tags: own }) => own.map((tag) => [tag, t(side)] as const))));
  const axes = lanes.some(({ scales, states }) => scales.length > 1 && !states) || tags.some(({ kind }) => !drawable(kind));
  const banded = new Set(lanes.flatMap(({ states, tags: own }) => (states ? own : [])));
  const rows = tags.map((tag, index) => ({
    axes,
    tag,
    index,
    slot: slots.get(tag.tag) ?? 0,
    hidden: hidden.has(tag.tag),
    band: banded.has(tag.tag),
    side: sides.get(tag.tag) ?? "",
    ...rest,
  }));
  if (phone) return <ul>{rows.map((row) => <PhoneRow key={row.tag.tag} {...row} />)}</ul>;
  return (
    <div className="ms-scroll">
      <table className="ms-table ms-trend-table">
        <colgroup>
          <col />
          <col className="ms-trend-col-now" />
          {FIGURES.map((name) => (
            <col key={name} className={`ms-trend-col-${name}`} />
          ))}
          {axes ? <col className="ms-trend-col-axis" /> : null}
          <col className="ms-trend-col-drop" />
        </colgroup>
        <thead>
          <tr>
            <th scope="col">{t("tag")}</th>
            <th scope="col" className="ms-grid-end">{t("now")}</th>
            <th scope="col" className="ms-grid-end">{t(pinned ? "atA" : "atPointer")}</th>
            <th scope="col" className="ms-grid-end">{t("diff")}</th>
            <th scope="col" className="ms-grid-end">{t("min")}</th>
            <th scope="col" className="ms-grid-end">{t("max")}</th>
            <th scope="col" className="ms-grid-end">{t("mean")}</th>
            <th scope="col" className="ms-grid-end">{t("badColumn")}</th>
            {axes ? <th scope="col">{t("axis")}</th> : null}
            <th scope="col"><span className="ms-hidden">{t("remove")}</span></th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row key={row.tag.tag} {...row} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
