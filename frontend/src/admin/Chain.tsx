import { useState } from "react";
import { Button, Typography } from "antd";
import { api } from "../api";
import { useFailed } from "../failed";
import { formatCount } from "../format/number";
import { useSession } from "../session";
import { useWords } from "../words";
import { auditWords } from "../words/audit";

interface Checked {
  whole_to: number;
  total: number;
  broken: number | null;
  digest: string;
  /** An entry that was written down beside the database, and is gone. */
  missed: { sequence: number; time_ms: number } | null;
  put_back: { noted_ms: number; to_ms: number; sequence: number }[];
}

/** Whether an entry of the audit was altered or removed: asked of the server part by part, told as it goes on. */
export function Chain() {
  const t = useWords(auditWords);
  const failed = useFailed();
  const { zone } = useSession();
  const [busy, setBusy] = useState(false);
  const [checked, setChecked] = useState<Checked | null>(null);
  const [time, setTime] = useState(0);
  const verify = async () => {
    setBusy(true);
    try {
      let part: Checked;
      let after = 0;
      do {
        part = await api.get<Checked>("/audit/chain", { after });
        setChecked(part);
        // What is appended meanwhile is verified next time.
        if (part.whole_to === after) break;
        after = part.whole_to;
      } while (part.broken === null && part.whole_to < part.total);
      setTime(Date.now());
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  };
  const told = () => {
    if (!checked) return null;
    if (checked.broken !== null) return <span className="ms-fault" role="alert">{t("broken", { n: formatCount(checked.broken) })}</span>;
    if (busy) return <span role="status">{t("verifying", { n: formatCount(checked.whole_to), total: formatCount(checked.total) })}</span>;
    if (checked.missed) {
      const { sequence, time_ms } = checked.missed;
      return <span className="ms-fault" role="alert">{t("cutOff", { n: formatCount(sequence), time: zone.full(time_ms) })}</span>;
    }
    return <span role="status" className="ms-num">{t("whole", { n: formatCount(checked.whole_to), time: zone.full(time) })}</span>;
  };
  const done = checked !== null && !busy && checked.broken === null;
  return (
    <>
      <div className="ms-row ms-wrap">
        <Button loading={busy} onClick={() => void verify()}>{t("verify")}</Button>
        {told()}
      </div>
      {done
        ? checked.put_back.map(({ noted_ms, to_ms, sequence }) => (
            <p key={noted_ms} className="ms-second ms-num">
              {t("putBack", { noted: zone.full(noted_ms), time: zone.full(to_ms), n: formatCount(sequence) })}
            </p>
          ))
        : null}
      {done && checked.missed === null && checked.whole_to > 0 ? (
        <p className="ms-third ms-caption">
          {t("head")}{" "}
          <Typography.Text copyable className="ms-code ms-breaks">
            {`${checked.whole_to}:${checked.digest}`}
          </Typography.Text>
        </p>
      ) : null}
    </>
  );
}
