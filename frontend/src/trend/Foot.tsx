import { useEffect, useState } from "react";
import type { Tag } from "../types";
import { useWords } from "../words";
import { trendWords } from "../words/trend";
import type { Zone as PlantZone } from "../format/time";
import { gapTotal } from "./columns";
import type { Picture } from "./picture";
import { spanWords } from "./range";
import { shareText } from "./Readout";
import type { Reading } from "./useHistory";

interface FootProps {
  alarmsHidden: number;
  picture: Picture;
  tags: readonly Tag[];
  hidden: ReadonlySet<number>;
  reading: Reading;
  compare_ms: number;
  language: "en" | "zh";
  zone: PlantZone;
}

const EVERY_MS = 1000;

/** What the picture leaves out: bucket size, gaps, bad quality; in words. */
export function Foot({ alarmsHidden, picture, tags, hidden, reading, compare_ms, language, zone }: FootProps) {
  const t = useWords(trendWords);
  const [, setRound] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setRound((count) => count + 1), EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const { start_ms, end_ms } = picture.span;
  let [count, total, good, bad] = [0, 0, 0, 0];
  for (const { tag } of tags) {
    const [series, line] = [picture.seriesOf(tag), picture.line(tag)];
    if (!series || !line || hidden.has(tag)) continue;
    const gaps = gapTotal(line, start_ms, end_ms);
    count += gaps.count;
    total += gaps.total_ms;
    const sum = picture.summaryOf(tag);
    good += sum?.good ?? 0;
    bad += sum?.bad ?? 0;
  }
  const known = [
    t("bucket", { span: spanWords(picture.bucket_ms, language) }),
    good + bad === 0 ? t("noHistory") : "",
    count > 0 ? t("gaps", { n: count, span: spanWords(Math.max(1000, Math.round(total / 1000) * 1000), language) }) : t("noGaps"),
    t("badShare", { share: shareText(bad, good) }),
    compare_ms > 0 ? t("compareTold", { span: spanWords(compare_ms, language) }) : "",
  ];
  const parts = [
    ...(picture.loaded ? known : []),
    alarmsHidden > 0 ? t("alarmsMore", { n: alarmsHidden }) : "",
    `${zone.name} ${zone.offsetText(end_ms)}`,
  ];
  return (
    <p className="ms-trend-foot ms-caption ms-second">
      {parts.filter(Boolean).map((part) => (
        <span key={part}>{part}</span>
      ))}
      <span role="status" className="ms-third">
        {reading.loading ? t("loadingMore") : ""}
      </span>
    </p>
  );
}
