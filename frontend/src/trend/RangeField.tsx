import { useState } from "react";
import { AutoComplete, Popover } from "antd";
import { live } from "../live";
import { usePreferences } from "../preferences";
import { useZone } from "../session";
import { useWords } from "../words";
import { trendWords } from "../words/trend";
import { type Range, parseRange, rangeParam, resolve, slidingWords } from "./range";
import { DAY, HOUR, MINUTE, clockText, spanText } from "./zone";

const PRESETS: readonly Range[] = [
  { kind: "sliding", span_ms: 10 * MINUTE },
  { kind: "sliding", span_ms: HOUR },
  { kind: "sliding", span_ms: 8 * HOUR },
  { kind: "sliding", span_ms: DAY },
  { kind: "sliding", span_ms: 7 * DAY },
  { kind: "sliding", span_ms: 30 * DAY },
  { kind: "sliding", span_ms: 180 * DAY },
  { kind: "named", name: "shift" },
  { kind: "named", name: "last-shift" },
  { kind: "named", name: "today" },
  { kind: "named", name: "yesterday" },
];

/** A range in the reader's words, short enough for the field. */
export function useRangeWords(): (range: Range) => string {
  const t = useWords(trendWords);
  const zone = useZone();
  const { language } = usePreferences();
  return (range) => {
    switch (range.kind) {
      case "sliding":
        return slidingWords(range.span_ms, language);
      case "named":
        return t(range.name);
      case "since": {
        const clock = clockText(range.minute * MINUTE);
        const day = range.day === 0 ? "" : `${t(range.day === -1 ? "yesterday" : "day-before-yesterday")} `;
        return t("rangeSince", { time: day + clock });
      }
      case "growing":
        return t("rangeSince", { time: zone.full(range.start_ms).slice(0, 16) });
      case "fixed":
        return spanText(range.start_ms, range.end_ms, live.now(), zone);
    }
  };
}

/** The range as a field to type in, with the usual ones below; refreshing never touches what is being typed. */
export function RangeField({ range, onChange }: { range: Range; onChange: (range: Range) => void }) {
  const t = useWords(trendWords);
  const zone = useZone();
  const words = useRangeWords();
  const [typed, setTyped] = useState<string | null>(null);
  const [wrong, setWrong] = useState("");
  const accept = (text: string) => {
    const found = parseRange(text, live.now(), zone);
    if (!found) {
      setWrong(text);
      return;
    }
    setWrong("");
    setTyped(null);
    if (rangeParam(found) !== rangeParam(range)) onChange(found);
  };
  const options = PRESETS.map((preset) => {
    const { start_ms, end_ms } = resolve(preset, live.now(), zone);
    return {
      value: rangeParam(preset),
      label: (
        <span className="ms-row">
          <span className="ms-grow">{words(preset)}</span>
          {preset.kind === "named" ? <span className="ms-caption ms-third ms-num">{spanText(start_ms, end_ms, live.now(), zone)}</span> : null}
        </span>
      ),
    };
  });
  return (
    <Popover open={wrong !== ""} placement="bottomLeft" content={<p className="ms-trend-wrong" role="alert">{t("rangeWrong", { text: wrong, hint: t("rangeHint") })}</p>}>
      <AutoComplete
        className="ms-trend-range ms-num"
        aria-label={t("rangeLabel")}
        value={typed ?? words(range)}
        options={options}
        popupMatchSelectWidth={320}
        defaultActiveFirstOption={false}
        status={wrong ? "error" : ""}
        placeholder={t("rangeHint")}
        onFocus={(event) => (event.target as HTMLInputElement).select?.()}
        onSearch={(text) => {
          setTyped(text);
          setWrong("");
        }}
        onSelect={(value: string) => accept(value)}
        onInputKeyDown={(event) => {
          if (event.key === "Enter" && typed !== null && typed.trim() !== "") accept(typed);
          if (event.key === "Escape") {
            setTyped(null);
            setWrong("");
          }
        }}
        onBlur={() => {
          if (typed !== null && typed.trim() !== "" && typed !== words(range)) accept(typed);
          setTyped(null);
        }}
      />
    </Popover>
  );
}
