import { Alert } from "antd";
import { usePreferences } from "../preferences";
import { useSay, useWords } from "../words";
import { writeWords } from "../words/write";
import { shown } from "./entered";
import type { ItemOutcome, Selected } from "./types";

type Times = Pick<ItemOutcome, "sent_ms" | "accepted_ms" | "read_back_ms">;

/** Sent, accepted, read back: each with how long after the one at the beginning. */
function Stages({ times, value }: { times: Times; value: string }) {
  const t = useWords(writeWords);
  const began = times.sent_ms;
  if (began === null) return null;
  const stages = [
    { stage: t("sent"), at: times.sent_ms },
    { stage: t("accepted"), at: times.accepted_ms },
    { stage: t("readBack", { value }), at: times.read_back_ms },
  ];
  return (
    <ol className="ms-write-stages ms-caption ms-second">
      {stages.map(({ stage, at }) => (at === null ? null : <li key={stage}>{at === began && stage === t("sent") ? stage : t("after", { stage, n: at - began })}</li>))}
    </ol>
  );
}

interface ResultsProps {
  tags: readonly Selected[];
  /** What was typed: what was read back is shown no rounder. */
  entered: Record<number, string>;
  items: readonly ItemOutcome[];
}

/** What became of each tag; what is not certain is said first. */
export function Results({ tags, entered, items }: ResultsProps) {
  const t = useWords(writeWords);
  const say = useSay();
  const { language } = usePreferences();
  const byTag = new Map(tags.map((tag) => [tag.tag, tag]));
  const unsure = items.some(({ outcome }) => outcome === "not-confirmed");
  const all = items.every(({ outcome }) => outcome === "done");
  const type = all ? "success" : unsure ? "error" : "warning";
  return (
    <div className="ms-stack" role="status">
      <Alert type={type} showIcon title={t(all ? "doneText" : unsure ? "unsureText" : "refusedText")} />
      <ul className="ms-list ms-stack">
        {items.map((item) => {
          const tag = byTag.get(item.tag);
          if (!tag) return null;
          const value = item.read_back === null ? "-" : shown(tag, item.read_back, language, entered[item.tag]);
          return (
            <li key={item.tag} className="ms-write-item" data-outcome={item.outcome}>
              <div className="ms-row">
                <span className="ms-bold ms-cut ms-grow">{tag.name}</span>
                <span className="ms-bold">{t(item.outcome)}</span>
              </div>
              <Stages times={item} value={value} />
              {item.text ? <p className="ms-second">{say(item.text)}</p> : null}
            </li>
          );
        })}
      </ul>
    </div>
  );
}
