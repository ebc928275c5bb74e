import { useEffect, useRef } from "react";
import { Button, Dropdown, type MenuProps } from "antd";
import { live } from "../live";
import { usePhone } from "../media";
import { usePreferences } from "../preferences";
import { useZone } from "../session";
import { useWords } from "../words";
import { trendWords } from "../words/trend";
import type { LaneMode } from "./lanes";
import type { Picture } from "./picture";
import { type Range, spanWords } from "./range";
import { RangeField } from "./RangeField";
import { type Comparison, comparisonsOf, type View } from "./view";
import { spanText } from "./zone";

const LANE_WORDS = { unit: "laneUnit", each: "laneEach", overlay: "laneOverlay" } as const;
const COMPARE_WORDS = { shift: "compareShift", day: "compareDay", week: "compareWeek" } as const;

export interface TrendBarProps {
  view: View;
  isLive: boolean;
  picture: Picture;
  cursors: boolean;
  onRange: (range: Range) => void;
  onPan: (share: number) => void;
  onZoom: (factor: number) => void;
  onLive: () => void;
  onMode: (mode: LaneMode) => void;
  onCompare: (compare_ms: number) => void;
  onTable: (table: boolean) => void;
  onCursors: () => void;
  onExport: () => void;
}

/** Both ends of what is shown, written as it slides; its length where the field already says the ends. */
function Ends({ picture, range }: { picture: Picture; range: Range }) {
  const zone = useZone();
  const { language } = usePreferences();
  const node = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const write = () => {
      const { start_ms, end_ms } = picture.span;
      const said = range.kind === "fixed" && range.start_ms === start_ms && range.end_ms === end_ms;
      const text = said ? spanWords(end_ms - start_ms, language) : spanText(start_ms, end_ms, live.now(), zone);
      if (node.current) node.current.textContent = text;
    };
    write();
    return picture.subscribe(write);
  }, [picture, range, zone, language]);
  return <span ref={node} className="ms-num ms-trend-ends" />;
}

type Menu = NonNullable<MenuProps["items"]>;

/** The tools that are not always in sight, as menus. */
function useMenus(props: TrendBarProps) {
  const t = useWords(trendWords);
  const { view } = props;
  const comparisons = comparisonsOf(useZone());
  // With one shift a day it is compared with the day before: the address keeps the first name.
  const compared = Object.entries(comparisons).find(([, span]) => span === view.compare_ms)?.[0] as Comparison | undefined;
  const lanes: Menu = (["unit", "each", "overlay"] as const).map((mode) => ({ key: mode, label: t(LANE_WORDS[mode]) }));
  const compare: Menu = [
    { key: "none", label: t("compareNone") },
    ...(["shift", "day", "week"] as const).map((name) => ({ key: name, label: t(COMPARE_WORDS[name]) })),
  ];
  const tools: Menu = [
    { key: "cursors", label: t(props.cursors ? "removeCursors" : "placeCursors") },
    { key: "table", label: t(view.table ? "asChart" : "asTable") },
    { key: "export", label: t("export") },
  ];
  const act = (key: string) => {
    if (key === "unit" || key === "each" || key === "overlay") props.onMode(key);
    else if (key === "none") props.onCompare(0);
    else if (key in comparisons) props.onCompare(comparisons[key as Comparison]);
    else if (key === "cursors") props.onCursors();
    else if (key === "table") props.onTable(!view.table);
    else props.onExport();
  };
  const selected = [view.mode, compared ?? "none"];
  const menu = (items: Menu): MenuProps => ({ items, selectable: true, selectedKeys: selected, onClick: ({ key }) => act(key) });
  return { lanes: menu(lanes), compare: menu(compare), compared, all: menu([...compare, { type: "divider" }, ...tools]) };
}

function Tools(props: TrendBarProps) {
  const t = useWords(trendWords);
  const { lanes, compare, compared, all } = useMenus(props);
  if (usePhone()) {
    return (
      <Dropdown trigger={["click"]} menu={all}>
        <Button aria-label={t("more")}>⋯</Button>
      </Dropdown>
    );
  }
  return (
    <>
      <span className="ms-grow" />
      <Dropdown trigger={["click"]} menu={lanes}>
        <Button>{t("lanes")} ▾</Button>
      </Dropdown>
      <Dropdown trigger={["click"]} menu={compare}>
        <Button>{compared ? t(COMPARE_WORDS[compared]) : t("compare")} ▾</Button>
      </Dropdown>
      <Button onClick={props.onCursors} aria-pressed={props.cursors}>
        {t(props.cursors ? "removeCursors" : "placeCursors")}
      </Button>
      <Button onClick={() => props.onTable(!props.view.table)} aria-pressed={props.view.table}>
        {t(props.view.table ? "asChart" : "asTable")}
      </Button>
      <Button onClick={props.onExport}>{t("export")}</Button>
    </>
  );
}

/** Range, movement, live or paused, and the tools. */
export function TrendBar(props: TrendBarProps) {
  const { view, isLive } = props;
  const t = useWords(trendWords);
  const phone = usePhone();
  const liveButton = (
    <Button aria-pressed={isLive} className="ms-trend-live" title={`${t(isLive ? "pause" : "goLive")} (L)`} onClick={props.onLive}>
      <span aria-hidden="true">{isLive ? "●" : "‖"}</span> {t(isLive ? "live" : "paused")}
    </Button>
  );
  return (
    <div className="ms-trend-bar" role="toolbar" aria-label={t("title")}>
      <RangeField range={view.range} onChange={props.onRange} />
      {phone ? liveButton : null}
      {phone ? <Tools {...props} /> : null}
      <span className="ms-trend-move">
        <Button aria-label={t("earlier")} title={`${t("earlier")} ←`} onClick={() => props.onPan(-0.5)}>
          ‹
        </Button>
        <Ends picture={props.picture} range={view.range} />
        <Button aria-label={t("later")} title={`${t("later")} →`} onClick={() => props.onPan(0.5)}>
          ›
        </Button>
      </span>
      <span className="ms-trend-pair">
        <Button aria-label={t("zoomIn")} title={`${t("zoomIn")} +`} onClick={() => props.onZoom(0.5)}>
          +
        </Button>
        <Button aria-label={t("zoomOut")} title={`${t("zoomOut")} −`} onClick={() => props.onZoom(2)}>
          −
        </Button>
      </span>
      {phone ? null : liveButton}
      {phone ? null : <Tools {...props} />}
    </div>
  );
}
