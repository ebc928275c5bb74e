import { useState } from "react";
import { Alert, Button, type FormInstance, Select } from "antd";
import { lengthText } from "../alarms/text";
import { api, ApiError } from "../api";
import { MiniTrend } from "../components/MiniTrend";
import { formatNumber } from "../format/number";
import { useZone } from "../session";
import type { Tag, Words } from "../types";
import { useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { limitWords } from "../words/limits";

const DAY_MS = 86_400_000;
const RANGES = [1 / 24, 1, 7, 30];
const LISTED = 5;
const FLOOD = 10;

interface Tried {
  start_ms: number;
  end_ms: number;
  count: number;
  longest_ms: number;
  total_ms: number;
  suppressed_count: number;
  suppressed_ms: number;
  per_day: number;
  most_in_10_min: number;
  standing: boolean;
  occurrences: { start_ms: number; end_ms: number | null }[];
  samples: number;
  bucket_ms: number | null;
}

interface TrialProps {
  tag: Tag;
  form: FormInstance;
  /** What would be sent to save it. */
  draft: () => object;
  id: string | null;
  limit: number | null;
}

/** Try what is entered on history: how often it would have been raised, before anyone lives with it. */
export function Trial({ tag, form, draft, id, limit }: TrialProps) {
  const t = useWords(limitWords);
  const of = useWords(alarmWords);
  const say = useSay();
  const zone = useZone();
  const [days, setDays] = useState(1);
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState<Tried | null>(null);
  const [problem, setProblem] = useState("");
  const run = async () => {
    setBusy(true);
    setProblem("");
    try {
      const end_ms = Date.now();
      setTried(await api.post<Tried>("/alarm-definitions/try", { definition: draft(), id, start_ms: Math.round(end_ms - days * DAY_MS), end_ms }));
    } catch (error) {
      setTried(null);
      if (!(error instanceof ApiError)) throw error;
      const fields: [string, Words][] = Object.entries(error.fields);
      form.setFields(fields.map(([path, text]) => ({ name: path.replace(/^wanted\.|^definition\./, "").split("."), errors: [say(text)] })));
      setProblem(fields.map(([, text]) => say(text)).join(" ") || say(error.text));
    } finally {
      setBusy(false);
    }
  };
  const range = tried ? lengthText(of, tried.end_ms - tried.start_ms) : "";
  return (
    <section className="ms-stack ms-gap-top" aria-label={t("tryTitle")}>
      <div className="ms-row">
        <Select
          aria-label={t("tryRange")}
          value={days}
          onChange={setDays}
          options={RANGES.map((value) => ({ value, label: t("tryLast", { length: lengthText(of, value * DAY_MS) }) }))}
        />
        <Button loading={busy} onClick={() => void run()}>
          {t("tryIt")}
        </Button>
      </div>
      {problem ? <Alert type="error" role="alert" title={problem} /> : null}
      {tried ? (
        <div role="status" className="ms-stack">
          <p className="ms-bold">
            {tried.count === 0 ? t("triedNever", { range }) : t("tried", { n: tried.count, range, longest: lengthText(of, tried.longest_ms) })}
          </p>
          <MiniTrend tag={tag.tag} start_ms={tried.start_ms} end_ms={tried.end_ms} spans={tried.occurrences} limit={limit} decimals={tag.decimals} unit={tag.unit_sign} />
          {tried.suppressed_ms > 0 ? (
            <p>{t("triedSuppressed", { n: tried.suppressed_count, length: lengthText(of, tried.suppressed_ms) })}</p>
          ) : null}
          {tried.count > 0 ? (
            <>
              <p className="ms-num">
                {t("triedRate", { n: formatNumber(tried.per_day, 1), most: tried.most_in_10_min, total: lengthText(of, tried.total_ms) })}
                {tried.most_in_10_min >= FLOOD ? ` ${t("triedFlood")}` : ""}
              </p>
              {tried.occurrences.length > LISTED ? <p className="ms-second ms-num">{t("triedNewest", { n: LISTED })}</p> : null}
              <ul className="ms-list">
                {tried.occurrences.slice(-LISTED).map(({ start_ms, end_ms }) => (
                  <li key={start_ms} className="ms-row ms-num">
                    <span>{zone.full(start_ms)}</span>
                    <span className="ms-second">{end_ms === null ? t("triedStands") : of("lasted", { length: lengthText(of, end_ms - start_ms) })}</span>
                  </li>
                ))}
              </ul>
            </>
          ) : null}
          <p className="ms-third">{tried.bucket_ms === null ? t("triedRaw", { n: tried.samples }) : t("triedBuckets", { length: lengthText(of, tried.bucket_ms) })}</p>
        </div>
      ) : null}
    </section>
  );
}
