import { useEffect, useState, useSyncExternalStore } from "react";
import { Button, Checkbox, Popover } from "antd";
import { PRIORITIES } from "../theme/tokens";
import { useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { sounds } from "./sound";

/** Which priorities are heard at this console; none at first. */
export function SoundSwitch() {
  const t = useWords(alarmWords);
  const [chosen, setChosen] = useState(() => [...sounds.wanted()]);
  const boxes = (
    <div className="ms-stack">
      {PRIORITIES.map((priority, place) => (
        <Checkbox
          key={priority}
          autoFocus={place === 0}
          checked={chosen.includes(priority)}
          onChange={({ target }) => {
            const next = PRIORITIES.filter((each) => (each === priority ? target.checked : chosen.includes(each)));
            setChosen(next);
            sounds.choose(next);
          }}
        >
          {t("soundFor", { priority: t(priority) })}
        </Checkbox>
      ))}
    </div>
  );
  return (
    <Popover content={boxes} trigger="click" placement="bottomRight" destroyOnHidden>
      <Button aria-haspopup="dialog">
        {chosen.length === 0 ? t("soundOff") : t("soundOn", { priorities: chosen.map((priority) => t(priority)).join(", ") })}
      </Button>
    </Popover>
  );
}

/** In the header: what keeps the sound from being heard, or how to silence it. */
export function SoundState() {
  const t = useWords(alarmWords);
  const state = useSyncExternalStore(sounds.onChange, sounds.current);
  useEffect(() => sounds.follow(), []);
  if (state === "blocked") {
    return (
      <Button size="small" onClick={() => void sounds.allow()}>
        {t("soundBlocked")}
      </Button>
    );
  }
  return state === "playing" ? (
    <Button size="small" onClick={() => sounds.silence()}>
      {t("silence")}
    </Button>
  ) : null;
}
