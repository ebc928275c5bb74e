import { useEffect, useMemo, useState } from "react";
import { type Column, Grid } from "../components/Grid";
import { formatOf, plainValue } from "../components/value-text";
import { signsOfMarks } from "../enter/samples";
import { usePreferences } from "../preferences";
import { useZone } from "../session";
import type { Tag } from "../types";
import { useWords } from "../words";
import { trendWords } from "../words/trend";
import type { Picture } from "./picture";

interface Row {
  at_ms: number;
  cells: Map<number, { text: string; bad: number; signs: string }>;
}

/** The buckets of the chart as rows, newest first. */
export function AsTable({ tags, picture, round, onSamples }: { tags: readonly Tag[]; picture: Picture; round: number; onSamples: (tag: Tag) => void }) {
  const t = useWords(trendWords);
  const zone = useZone();
  const { language } = usePreferences();
  const [, setSpan] = useState(picture.span);
  useEffect(() => picture.subscribe(() => setSpan(picture.span)), [picture]);
  const rows = useMemo(() => {
    const found = new Map<number, Row>();
    for (const tag of tags) {
      const series = picture.seriesOf(tag.tag);
      const pace = picture.paceOf(tag.tag);
      series?.time.forEach((at_ms, index) => {
        const row = found.get(at_ms) ?? { at_ms, cells: new Map() };
        found.set(at_ms, row);
        const value = (pace.discrete ? series.last[index] : series.mean[index]) ?? null;
        const bad = series.bad[index] ?? 0;
        const text = value === null ? "✕" : plainValue(value, formatOf(tag), language);
        row.cells.set(tag.tag, { text, bad, signs: signsOfMarks(series.marks?.[index] ?? 0) });
      });
    }
    return [...found.values()].sort((left, right) => right.at_ms - left.at_ms);
    // The picture is the same object when its content changes: `round` says that it did.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [tags, picture, language, round]);
  const columns: Column<Row>[] = [
    {
      key: "time",
      title: `${t("time")} ${zone.offsetText(picture.span.end_ms)}`,
      width: "190px",
      cell: (row) => <span className="ms-num">{zone.full(row.at_ms)}</span>,
    },
    ...tags.map((tag) => ({
      key: String(tag.tag),
      title: (
        <button type="button" className="ms-plain ms-trend-head" title={t("samplesOf", { name: tag.name })} onClick={() => onSamples(tag)}>
          {tag.name} {tag.unit_sign}
        </button>
      ),
      width: "minmax(110px, 1fr)",
      end: true,
      cell: (row: Row) => {
        const cell = row.cells.get(tag.tag);
        return (
          <span className={cell?.bad ? "ms-num ms-trend-bad" : "ms-num"}>
            {cell?.signs ? <span className="ms-third">{cell.signs} </span> : null}
            {cell?.text ?? "-"}
          </span>
        );
      },
    })),
  ];
  return (
    <Grid
      label={t("asTable")}
      columns={columns}
      rows={rows}
      rowKey={(row) => String(row.at_ms)}
      phone={(row) => (
        <>
          <span className="ms-num">{zone.full(row.at_ms)}</span>
          <span className="ms-num ms-cut">{tags.map((tag) => `${tag.name} ${row.cells.get(tag.tag)?.text ?? "-"}`).join(" · ")}</span>
        </>
      )}
      empty={<p className="ms-message">{t("noHistory")}</p>}
    />
  );
}
