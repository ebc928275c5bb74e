import { useEffect, useLayoutEffect, useRef } from "react";
import "uplot/dist/uPlot.min.css";
import { formatOf } from "../components/value-text";
import { usePreferences } from "../preferences";
import { useZone } from "../session";
import type { Tag } from "../types";
import { choose } from "../words/format";
import type { Lane } from "./lanes";
import type { Picture } from "./picture";
import { LanePlot } from "./plot";

export interface LaneChartProps {
  lane: Lane;
  tags: ReadonlyMap<number, Tag>;
  slots: ReadonlyMap<number, number>;
  hidden: ReadonlySet<number>;
  picture: Picture;
  width: number;
  height: number;
  last: boolean;
  right: boolean;
  names: boolean;
}

/** One lane; it redraws outside React when its picture changes and is rebuilt only when its lines do. */
export function LaneChart({ lane, tags, slots, hidden, picture, width, height, last, right, names }: LaneChartProps) {
  const root = useRef<HTMLDivElement>(null);
  const zone = useZone();
  const { mode, language } = usePreferences();
  useLayoutEffect(() => {
    if (!root.current || width < 80) return;
    const words = (tag: Tag, value: number) => {
      const found = formatOf(tag).words?.[String(value)];
      return found ? choose(found, language) : null;
    };
    const options = { lane, tags, slots, hidden, picture, width, height, last, right, names, zone, mode, words };
    let plot = new LanePlot(root.current, options);
    let series = picture.shape();
    const stop = picture.subscribe(() => {
      // The comparison adds lines, and uPlot fixes their number when it is made.
      if (picture.shape() !== series && root.current) {
        plot.destroy();
        plot = new LanePlot(root.current, options);
        series = picture.shape();
      } else plot.redraw();
    });
    return () => {
      stop();
      plot.destroy();
    };
  }, [lane, tags, slots, hidden, picture, width, height, last, right, names, zone, mode, language]);
  useEffect(() => {
    // A canvas does not follow the device's zoom by itself.
    const redraw = () => picture.redraw();
    window.addEventListener("resize", redraw);
    return () => window.removeEventListener("resize", redraw);
  }, [picture]);
  return <div ref={root} className="ms-lane" style={{ height }} aria-hidden="true" />;
}
