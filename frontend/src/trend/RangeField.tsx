import { useState } from "react";
import { Button, Dropdown, Input, Popover, Space } from "antd";
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
  const items = PRESETS.map((preset) => {
    const { start_ms, end_ms } = resolve(preset, live.now(), zone);
    return {
      key: rangeParam(preset),
      label: (
        <span className="ms-row">
          <span className="ms-grow">{words(preset)}</span>
          {preset.kind === "named" ? <span className="ms-caption ms-third ms-num">{spanText(start_ms, end_ms, live.now(), zone)}</span> : null}
        </span>
      ),
    };
  });
  const leave = () => {
    setTyped(null);
    setWrong("");
  };
  return (
    <Popover
      open={wrong !== ""}
      placement="bottomLeft"
      content={
        <p className="ms-trend-wrong" role="alert">
          {t("rangeWrong", { text: wrong, hint: t("rangeHint") })}
        </p>
      }
    >
      <Space.Compact className="ms-trend-range">
        <Input
          className="ms-num"
          aria-label={t("rangeLabel")}
          value={typed ?? words(range)}
          status={wrong ? "error" : ""}
          placeholder={t("rangeHint")}
          title={t("rangeHint")}
          onFocus={(event) => event.target.select()}
          onChange={(event) => {
            setTyped(event.target.value);
            setWrong("");
          }}
          onPressEnter={() => typed?.trim() && accept(typed)}
          onKeyDown={(event) => event.key === "Escape" && leave()}
          onBlur={() => {
            if (typed?.trim() && parseRange(typed, live.now(), zone)) accept(typed);
            else leave();
          }}
        />
        <Dropdown
          trigger={["click"]}
          menu={{ items, selectable: true, selectedKeys: [rangeParam(range)], onClick: ({ key }) => accept(key) }}
        >
          <Button aria-label={t("usualRanges")}>▾</Button>
        </Dropdown>
      </Space.Compact>
    </Popover>
  );
}
