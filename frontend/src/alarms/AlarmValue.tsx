import { Replayed } from "../components/Replayed";
import type { Alarm, AlarmEvent } from "../types";
import { useSay } from "../words";
import { valueAndLimit } from "./text";

/** Value and limit of an alarm, marked where its tag replays a recording. */
export function AlarmValue({ alarm }: { alarm: Alarm | AlarmEvent }) {
  const say = useSay();
  return (
    <>
      {alarm.replayed ? <Replayed /> : null} {valueAndLimit(alarm, say)}
    </>
  );
}
