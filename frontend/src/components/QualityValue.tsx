import { Suspense, lazy, useRef } from "react";
import { Popover } from "antd";
import { type Cell, live, useLiveWriter, useSecond } from "../live";
import { usePreferences } from "../preferences";
import { ageText } from "../format/time";
import { useZone } from "../session";
import { useSay, useWords } from "../words";
import { qualityWords } from "../words/quality";
import { type ValueFormat, type ValueText, blobOf, valueText } from "./value-text";

const BlobView = lazy(() => import("../enter/BlobView"));

const ORIGINS = ["machine", "manual", "calculated", "imported", "simulated", "replayed"] as const;

function put(root: HTMLElement, text: ValueText): void {
  root.dataset.look = text.look;
  const parts = [text.origin, text.before, text.value, text.unit, text.after];
  parts.forEach((part, index) => {
    const node = root.children[index];
    if (node && node.textContent !== part) node.textContent = part;
  });
}

/** What a value is, in words: quality, origin, source time. Opened by tap, click or Enter. */
function Reason({ cell }: { cell: Cell }) {
  const t = useWords();
  const say = useSay();
  const zone = useZone();
  if (!cell.known) return <span>{t("noValueYet")}</span>;
  const origin = ORIGINS[cell.origin] ?? "machine";
  return (
    <>
      <dl className="ms-facts">
      <dt>{t("quality")}</dt>
      <dd>
        {say(qualityWords(cell.quality))}
        {cell.stale ? `, ${t("stale")}` : ""}
      </dd>
      <dt>{t("source")}</dt>
      <dd>{t(origin)}</dd>
      <dt>{t("time")}</dt>
      <dd className="ms-num">
        {zone.full(cell.time)} {zone.offsetText(cell.time)}
      </dd>
    </dl>
      {blobOf(cell.value) ? (
        <Suspense fallback={null}>
          <div className="ms-value-blob">
            <BlobView value={cell.value} />
          </div>
        </Suspense>
      ) : null}
    </>
  );
}

export interface QualityValueProps {
  /** The tag's ordinal; the page that shows it holds it in the feed with `useLiveSet`. */
  tag: number;
  format: ValueFormat;
  /** Characters of the number's cell: it keeps this width whatever arrives. */
  width?: number;
}

/** A live value with unit, quality and origin; it writes its own text and never renders again for a new value. */
export function QualityValue({ tag, format, width = 9 }: QualityValueProps) {
  const root = useRef<HTMLSpanElement>(null);
  const { language } = usePreferences();
  const write = (cell: Cell) => {
    if (root.current) put(root.current, valueText(cell, format, language, live.now()));
  };
  useLiveWriter(tag, write);
  useSecond(() => {
    if (root.current?.dataset.look === "stale") write(live.shown(tag));
  });
  return (
    <Popover trigger="click" destroyOnHidden content={() => <Reason cell={live.shown(tag)} />}>
      <span ref={root} className="ms-value ms-num" role="button" tabIndex={0} onKeyDown={pressed}>
        <span className="ms-value-origin" />
        <span />
        <span className="ms-value-number" style={{ minWidth: `${width}ch` }} />
        <span className="ms-value-unit" />
        <span />
      </span>
    </Popover>
  );
}

function pressed(event: React.KeyboardEvent<HTMLElement>): void {
  if (event.key !== "Enter" && event.key !== " ") return;
  event.preventDefault();
  event.stopPropagation();
  event.currentTarget.click();
}

/** The age of a tag's last sample, counted on by the second; its text is its own, too. */
export function LiveAge({ tag }: { tag: number }) {
  const root = useRef<HTMLSpanElement>(null);
  const zone = useZone();
  const t = useWords();
  const write = () => {
    const cell = live.shown(tag);
    const text = cell.known ? ageText(cell.time, live.now(), zone) : t("none");
    if (root.current && root.current.textContent !== text) root.current.textContent = text;
  };
  useLiveWriter(tag, write);
  useSecond(write);
  return <span ref={root} className="ms-num ms-third" />;
}
