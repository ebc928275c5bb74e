import { useMemo, useState } from "react";
import { App, Input, InputNumber, Modal, Select } from "antd";
import { api } from "../api";
import { MomentField } from "../components/RangeFields";
import { useFailed } from "../failed";
import { type Calendar, shiftAt, shiftsAt } from "../format/shifts";
import { live } from "../live";
import { useSession } from "../session";
import { focusOnceShown } from "../shell/focus-back";
import { fromWall, toWall, type Zone } from "../trend/zone";
import type { Words } from "../types";
import { useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { alarmStore } from "./store";

const MINUTE_MS = 60_000;
const REASON_MAX = 500;
const TIMES = { quarter: 15, hour: 60, shift: 480 } as const;

/** When the shift ends in which an alarm's site is now; null where it has no calendar. */
export function shiftEndAt(path: string, calendars: readonly Calendar[], now_ms: number, zone: Zone): number | null {
  const starts = shiftsAt(path, calendars);
  return starts ? fromWall(shiftAt(toWall(now_ms, zone), starts).end, zone) : null;
}

export type Deed = "shelve" | "out" | "return" | "comment";

interface Refused {
  alarm: string;
  text: Words;
}

/** Ask the server to do something with alarms; tells what it refused. */
export function useAlarmWork(): (path: string, body: object, done: string) => Promise<void> {
  const t = useWords(alarmWords);
  const say = useSay();
  const failed = useFailed();
  const { message } = App.useApp();
  return async (path, body, done) => {
    try {
      const { refused } = await api.post<{ refused: Refused[] }>(`/alarms/${path}`, body);
      const [first] = refused;
      if (first) message.warning(t("notDone", { reason: say(first.text) }));
      else message.success(done);
      await alarmStore.read();
    } catch (error) {
      failed(error);
    }
  };
}

interface WorkDialogProps {
  deed: Deed | null;
  alarms: readonly string[];
  onClose: () => void;
}

/** Shelve, take out of service, return or comment: each with its reason in words. */
export function WorkDialog({ deed, alarms, onClose }: WorkDialogProps) {
  const t = useWords(alarmWords);
  if (deed === null) return null;
  const n = alarms.length;
  const titles = { shelve: t("shelveTitle", { n }), out: t("takeOutTitle"), return: t("returnTitle"), comment: t("commentTitle") };
  return <Dialog key={deed} deed={deed} alarms={alarms} title={titles[deed]} onClose={onClose} />;
}

function Dialog({ deed, alarms, title, onClose }: WorkDialogProps & { deed: Deed; title: string }) {
  const t = useWords(alarmWords);
  const work = useAlarmWork();
  const { site, zone } = useSession();
  const [opened] = useState(() => live.now());
  const shiftEnd = useMemo(() => {
    // Alarms of sites that differ in their shifts have no common end.
    const ends = new Set(alarmStore.current().alarms.filter(({ alarm }) => alarms.includes(alarm)).map(({ path }) => shiftEndAt(path, site.shifts, opened, zone)));
    return ends.size === 1 ? ([...ends][0] ?? null) : null;
  }, [alarms, site, opened, zone]);
  const [reason, setReason] = useState("");
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [time, setTime] = useState<keyof typeof TIMES | "shiftEnd" | "minutes" | "until">("quarter");
  const [minutes, setMinutes] = useState(30);
  const [until, setUntil] = useState(() => Date.now() + 60 * MINUTE_MS);
  const [path, done, button] = {
    shelve: ["shelve", t("shelvedDone", { n: alarms.length }), t("shelve")],
    out: ["out-of-service", t("takenOutDone"), t("takeOut")],
    return: ["out-of-service", t("returnedDone"), t("returnService")],
    comment: ["comment", t("commentKept"), t("save")],
  }[deed] as [string, string, string];
  const submit = async () => {
    setTried(true);
    if (reason.trim() === "") return;
    const shelf =
      time === "until" || time === "shiftEnd" ? { until_ms: time === "until" ? until : (shiftEnd ?? until) } : { for_ms: Math.round((time === "minutes" ? minutes : TIMES[time]) * MINUTE_MS) };
    const own = { shelve: shelf, out: { out: true }, return: { out: false }, comment: {} }[deed];
    setBusy(true);
    await work(path, { alarms, comment: reason.trim(), ...own }, done);
    setBusy(false);
    onClose();
  };
  const label = deed === "comment" ? t("comment") : t("reason");
  return (
    <Modal open title={title} okText={button} cancelText={t("cancel")} onOk={() => void submit()} onCancel={onClose} confirmLoading={busy} destroyOnHidden width={440}>
      <div className="ms-stack">
        {deed === "shelve" ? (
          <>
            <div className="ms-row">
              <span>{t("shelveFor")}</span>
              <Select
                className="ms-grow"
                aria-label={t("shelveFor")}
                value={time}
                onChange={setTime}
                options={[
                  ...(["quarter", "hour", "shift"] as const).map((value) => ({ value, label: t(value), disabled: TIMES[value] > site.shelf_hours_max * 60 })),
                  ...(shiftEnd === null
                    ? []
                    : [{ value: "shiftEnd" as const, label: t("shiftEnd", { time: zone.full(shiftEnd).slice(11, 16) }), disabled: shiftEnd - opened > site.shelf_hours_max * 60 * MINUTE_MS }]),
                  { value: "minutes" as const, label: t("ownMinutes") },
                  { value: "until" as const, label: t("untilTime") },
                ]}
              />
              {time === "minutes" ? <InputNumber aria-label={t("ownMinutes")} value={minutes} min={0.1} max={site.shelf_hours_max * 60} onChange={(value) => setMinutes(value ?? 1)} /> : null}
              {time === "until" ? <MomentField label={t("until")} value={until} onChange={setUntil} /> : null}
            </div>
            <p className="ms-third">{t("shelveHint", { n: site.shelf_hours_max })}</p>
          </>
        ) : null}
        {deed === "out" ? <p className="ms-third">{t("takeOutHint")}</p> : null}
        <label ref={focusOnceShown} className="ms-stack">
          <span>{label}</span>
          <Input.TextArea
            rows={3}
            maxLength={REASON_MAX}
            value={reason}
            status={tried && reason.trim() === "" ? "error" : ""}
            aria-label={label}
            aria-invalid={tried && reason.trim() === ""}
            onChange={(event) => setReason(event.target.value)}
          />
          {tried && reason.trim() === "" ? <span role="alert">{t("reasonNeeded")}</span> : null}
        </label>
      </div>
    </Modal>
  );
}
