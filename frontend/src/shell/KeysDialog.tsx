import { useState } from "react";
import { Modal } from "antd";
import { useWords } from "../words";
import { keyWords } from "../words/keys";
import { lettersAreKeys, turnLetters } from "./keys";

/** Keys as they are pressed, by where they act. */
const KEYS = {
  everywhere: [
    ["Ctrl K", "search"],
    ["/", "search"],
    ["g o", "overview"],
    ["g p", "plant"],
    ["g a", "alarms"],
    ["g t", "trends"],
    ["g c", "connect"],
    ["Esc", "close"],
    ["?", "help"],
  ],
  lists: [
    ["↑ ↓", "move"],
    ["Home End", "ends"],
    ["Space", "select"],
    ["Enter", "open"],
  ],
  records: [
    ["n", "newRecord"],
    ["e", "editRecord"],
    ["j k", "nextRow"],
    ["Ctrl Enter", "saveForm"],
  ],
  alarmList: [
    ["k", "acknowledge"],
    ["s", "shelve"],
  ],
  assetPage: [
    ["← →", "fold"],
    ["t", "trendOf"],
    ["a", "alarmsOf"],
  ],
  trend: [
    ["← →", "pan"],
    ["+ -", "zoom"],
    ["l", "live"],
    ["1-9", "line"],
  ],
  sheets: [
    ["Enter", "below"],
    ["Ctrl D", "above"],
    ["Ctrl Shift D", "fillDown"],
  ],
  importing: [
    ["n", "nextFault"],
    ["p", "previousFault"],
  ],
  writing: [["Space", "execute"]],
} as const satisfies Record<string, readonly (readonly [string, keyof typeof keyWords])[]>;
const PLACES = Object.keys(KEYS) as (keyof typeof KEYS)[];

/** Keys of one character alone, which can be turned off: `k`, `g o`, `+ -`, `1-9`. */
const isLetter = (key: string) => /^(.|.[ -].)$/.test(key) && !/[←→↑↓]/.test(key);

/** What keys do, and whether single characters are keys at all. */
export function KeysDialog({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useWords(keyWords);
  const [letters, setLetters] = useState(lettersAreKeys);
  const turn = () => {
    turnLetters(!letters);
    setLetters(!letters);
  };
  return (
    <Modal open={open} onCancel={onClose} footer={null} title={t("title")} width={760} destroyOnHidden>
      <label className="ms-row">
        <input type="checkbox" checked={letters} onChange={turn} />
        {t("letters")}
      </label>
      <div className="ms-keys">
        {PLACES.map((place) => (
          <section key={place}>
            <h3>{t(place)}</h3>
            <dl className="ms-facts">
              {KEYS[place].map(([key, does]) => {
                const off = !letters && isLetter(key);
                return [
                  <dt key={key} data-off={off}>
                    <kbd className="ms-key">{key}</kbd>
                  </dt>,
                  <dd key={`${key} does`} className={off ? "ms-third" : ""}>
                    {off ? t("off", { does: t(does) }) : t(does)}
                  </dd>,
                ];
              })}
            </dl>
          </section>
        ))}
      </div>
    </Modal>
  );
}
