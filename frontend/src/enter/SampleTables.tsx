import { Button } from "antd";
import { type Column, Grid } from "../components/Grid";
import { PageState } from "../components/PageState";
import { blobOf, formatOf, plainValue } from "../components/value-text";
import { usePreferences } from "../preferences";
import { type Resource, useResource } from "../resource";
import { api } from "../api";
import { useSession, useZone } from "../session";
import type { Page, Tag } from "../types";
import { useSay, useWords } from "../words";
import { enterWords } from "../words/enter";
import { qualityState, qualityWords } from "../words/quality";
import { CORRECTED, type Correction, type Entry, LATE, SAMPLES_MAX, type Sample, type Span, readCorrections, signsOf } from "./samples";

/** A value as people read it, with its unit. */
function useShown(tag: Tag): (value: Sample["value"], quality: number) => string {
  const { language } = usePreferences();
  const format = formatOf(tag);
  return (value, quality) => {
    const text = plainValue(value, format, language);
    const unit = value === null || format.words?.[String(value)] || blobOf(value) ? "" : tag.unit_sign;
    const whole = unit ? `${text} ${unit}` : text;
    const state = qualityState(quality);
    return state === "bad" ? `✕ (${whole})` : state === "uncertain" ? `${whole} ?` : whole;
  };
}

function useRemarks(): (sample: Sample) => string {
  const t = useWords(enterWords);
  const say = useSay();
  const origins = ["", t("manual"), t("calculated"), t("imported"), t("simulated"), t("replayed")];
  return ({ origin, flags, quality }) =>
    [flags & CORRECTED ? t("corrected") : "", origins[origin] ?? "", flags & LATE ? t("late") : "", qualityState(quality) === "good" ? "" : say(qualityWords(quality))]
      .filter(Boolean)
      .join(" · ");
}

interface SampleTableProps {
  tag: Tag;
  samples: Resource<Sample[]>;
  onCorrect: (sample: Sample) => void;
  onView: (value: Sample["value"]) => void;
}

/** The samples of a tag, newest first, each with what it is. */
export function SampleTable({ tag, samples, onCorrect, onView }: SampleTableProps) {
  const t = useWords(enterWords);
  const zone = useZone();
  const { mayAt } = useSession();
  const shown = useShown(tag);
  const remarks = useRemarks();
  const valueOf = (sample: Sample) =>
    blobOf(sample.value) || (tag.kind === "array" && sample.value) ? (
      <Button size="small" type="link" onClick={() => onView(sample.value)}>
        {shown(sample.value, sample.quality)}
      </Button>
    ) : (
      <span className="ms-num ms-cut">{shown(sample.value, sample.quality)}</span>
    );
  const sign = (sample: Sample) => (
    <span className="ms-enter-signs ms-num" title={remarks(sample)}>
      {signsOf(sample.origin, sample.flags)}
    </span>
  );
  const correct = (sample: Sample) => (
    <Button size="small" type="text" onClick={() => onCorrect(sample)}>
      {t("correct")}
    </Button>
  );
  const mayCorrect = mayAt("engineer", tag.path);
  const columns: Column<Sample>[] = [
    { key: "time", title: t("sampleTime"), width: "180px", cell: ({ time_ms }) => <span className="ms-num">{zone.full(time_ms)}</span> },
    { key: "value", title: t("newValue"), width: "minmax(120px, 1.2fr)", end: true, cell: valueOf },
    { key: "sign", title: "", width: "52px", cell: sign },
    { key: "remarks", title: t("remarks"), width: "minmax(120px, 1.2fr)", cell: (sample) => <span className="ms-second ms-cut">{remarks(sample)}</span> },
    ...(mayCorrect ? [{ key: "correct", title: "", width: "96px", cell: correct }] : []),
  ];
  return (
    <PageState state={samples} rows={8}>
      {(found) => (
        <>
          {found.length >= SAMPLES_MAX ? <p className="ms-second">{t("tooMany", { n: SAMPLES_MAX })}</p> : null}
          <div className="ms-panel ms-enter-grid">
            <Grid
              label={t("samplesOf", { name: tag.name })}
              columns={columns}
              rows={found}
              rowKey={({ time_ms }) => String(time_ms)}
              phone={(sample) => (
                <>
                  <span className="ms-row">
                    <span className="ms-num ms-grow">{zone.full(sample.time_ms)}</span>
                    {mayCorrect ? correct(sample) : null}
                  </span>
                  <span className="ms-row">
                    {valueOf(sample)}
                    {sign(sample)}
                    <span className="ms-second ms-cut">{remarks(sample)}</span>
                  </span>
                </>
              )}
              empty={<p className="ms-message">{t("noSamples")}</p>}
            />
          </div>
        </>
      )}
    </PageState>
  );
}

/** What was corrected: before and after, who, when and why. */
export function CorrectionTable({ tag, span, round }: { tag: Tag; span: Span; round: number }) {
  const t = useWords(enterWords);
  const zone = useZone();
  const shown = useShown(tag);
  const list = useResource(`${tag.tag} ${span.start_ms} ${span.end_ms} ${round}`, (signal) => readCorrections(tag.tag, span, signal));
  const key = ({ time_ms, made_ms }: Correction) => `${time_ms} ${made_ms}`;
  return (
    <PageState state={list} rows={4}>
      {({ items }: Page<Correction>) =>
        items.length === 0 ? (
          <p className="ms-second">{t("noCorrections")}</p>
        ) : (
          <div className="ms-panel ms-scroll">
            <table className="ms-table" aria-label={t("corrections")}>
              <thead>
                <tr>
                  <th scope="col">{t("sampleTime")}</th>
                  <th scope="col" className="ms-grid-end">{t("former")}</th>
                  <th scope="col" className="ms-grid-end">{t("after")}</th>
                  <th scope="col">{t("who")}</th>
                  <th scope="col">{t("made")}</th>
                  <th scope="col">{t("reason")}</th>
                </tr>
              </thead>
              <tbody>
                {items.map((each) => (
                  <tr key={key(each)}>
                    <td className="ms-num">{zone.full(each.time_ms)}</td>
                    <td className="ms-num ms-grid-end">{shown(each.former, each.former_quality)}</td>
                    <td className="ms-num ms-grid-end">{shown(each.value, each.quality)}</td>
                    <td>{each.by}</td>
                    <td className="ms-num">{zone.full(each.made_ms)}</td>
                    <td>{each.reason}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )
      }
    </PageState>
  );
}

/** What was entered by hand: who, when, and the comment. */
export function EntryTable({ tag, round }: { tag: Tag; round: number }) {
  const t = useWords(enterWords);
  const zone = useZone();
  const shown = useShown(tag);
  const list = useResource(`${tag.tag} ${round}`, (signal) => api.get<Page<Entry>>("/samples/entered", { tag: tag.tag }, signal));
  return (
    <PageState state={list} rows={4}>
      {({ items }: Page<Entry>) =>
        items.length === 0 ? (
          <p className="ms-second">{t("noEntries")}</p>
        ) : (
          <div className="ms-panel ms-scroll">
            <table className="ms-table" aria-label={t("entries")}>
              <thead>
                <tr>
                  <th scope="col">{t("sampleTime")}</th>
                  <th scope="col" className="ms-grid-end">{t("newValue")}</th>
                  <th scope="col">{t("enteredBy")}</th>
                  <th scope="col">{t("enteredAt")}</th>
                  <th scope="col">{t("comment")}</th>
                </tr>
              </thead>
              <tbody>
                {items.map((each) => (
                  <tr key={each.made_ms}>
                    <td className="ms-num">{zone.full(each.time_ms)}</td>
                    <td className="ms-num ms-grid-end">{each.count ? t("several", { n: each.count }) : shown(each.value, each.quality)}</td>
                    <td>{each.by}</td>
                    <td className="ms-num">{zone.full(each.made_ms)}</td>
                    <td>{each.comment ?? ""}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )
      }
    </PageState>
  );
}
