import { useEffect, useRef, useState } from "react";
import { Button, Dropdown, Tooltip } from "antd";
import { live } from "../live";
import { useZone } from "../session";
import { useWords } from "../words";
import { trendWords } from "../words/trend";
import type { LaneMode } from "./lanes";
import type { Picture } from "./picture";
import type { Range } from "./range";
import { RangeField } from "./RangeField";
import { COMPARISONS, type View } from "./view";
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

/** Both ends of what is shown, written as it slides. */
function Ends({ picture }: { picture: Picture }) {
  const zone = useZone();
  const node = useRef<HTMLSpanElement>(null);
  useEffect(() => {
    const write = () => {
      const { start_ms, end_ms } = picture.span;
      if (node.current) node.current.textContent = spanText(start_ms, end_ms, live.now(), zone);
    };
    write();
    return picture.subscribe(write);
  }, [picture, zone]);
  return <span ref={node} className="ms-num ms-trend-ends" />;
}

export function TrendBar(props: TrendBarProps) {
  const { view, isLive } = props;
  const t = useWords(trendWords);
  const [menu, setMenu] = useState<"lanes" | "compare" | null>(null);
  const compared = Object.entries(COMPARISONS).find(([, span]) => span === view.compare_ms)?.[0] as keyof typeof COMPARISONS | undefined;
  return (
    <div className="ms-trend-bar" role="toolbar" aria-label={t("title")}>
      <RangeField range={view.range} onChange={props.onRange} />
      <span className="ms-trend-move">
        <Button aria-label={t("earlier")} title={`${t("earlier")} ←`} onClick={() => props.onPan(-0.5)}>
          ‹
        </Button>
        <Ends picture={props.picture} />
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
      <Tooltip title={`${t(isLive ? "pause" : "goLive")} (L)`}>
        <Button aria-pressed={isLive} className="ms-trend-live" onClick={props.onLive}>
          <span aria-hidden="true">{isLive ? "●" : "‖"}</span> {t(isLive ? "live" : "paused")}
        </Button>
      </Tooltip>
      <span className="ms-grow" />
      <Dropdown
        trigger={["click"]}
        open={menu === "lanes"}
        onOpenChange={(open) => setMenu(open ? "lanes" : null)}
        menu={{
          selectable: true,
          selectedKeys: [view.mode],
          items: (["unit", "each", "overlay"] as const).map((mode) => ({ key: mode, label: t(LANE_WORDS[mode]) })),
          onClick: ({ key }) => props.onMode(key as LaneMode),
        }}
      >
        <Button>{t("lanes")} ▾</Button>
      </Dropdown>
      <Dropdown
        trigger={["click"]}
        open={menu === "compare"}
        onOpenChange={(open) => setMenu(open ? "compare" : null)}
        menu={{
          selectable: true,
          selectedKeys: [compared ?? "none"],
          items: [
            { key: "none", label: t("compareNone") },
            ...(["shift", "day", "week"] as const).map((name) => ({ key: name, label: t(COMPARE_WORDS[name]) })),
          ],
          onClick: ({ key }) => props.onCompare(key === "none" ? 0 : COMPARISONS[key as keyof typeof COMPARISONS]),
        }}
      >
        <Button>{compared ? t(COMPARE_WORDS[compared]) : t("compare")} ▾</Button>
      </Dropdown>
      <Button onClick={props.onCursors} aria-pressed={props.cursors}>
        {t(props.cursors ? "removeCursors" : "placeCursors")}
      </Button>
      <Button onClick={() => props.onTable(!view.table)} aria-pressed={view.table}>
        {t(view.table ? "asChart" : "asTable")}
      </Button>
      <Button onClick={props.onExport}>{t("export")}</Button>
    </div>
  );
}
