import { type KeyboardEvent, useEffect, useRef } from "react";
import { useZone } from "../session";
import { useWords } from "../words";
import { trendWords } from "../words/trend";
import type { Cursors, Picture } from "./picture";
import { clockText, dateText, toWall } from "./zone";

const KEY_STEP = 1 / 200;

interface LayerProps {
  picture: Picture;
  cursors: Cursors;
  left: number;
  width: number;
  onPlace: () => void;
}

/** The pointer's line and both cursors across all lanes; they move without rendering. */
export function CursorLayer({ picture, cursors, left, width, onPlace }: LayerProps) {
  const t = useWords(trendWords);
  const zone = useZone();
  const hover = useRef<HTMLDivElement>(null);
  const told = useRef<HTMLSpanElement>(null);
  const first = useRef<HTMLDivElement>(null);
  const second = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const words = (at_ms: number) => {
      const wall = toWall(at_ms, zone);
      const length = picture.span.end_ms - picture.span.start_ms;
      return `${dateText(wall).slice(5)} ${clockText(wall, length < 120_000 ? "ms" : "s")}`;
    };
    const put = (node: HTMLElement | null, at_ms: number | null, slider: boolean) => {
      if (!node) return;
      const { start_ms, end_ms } = picture.span;
      const x = at_ms === null ? -1 : ((at_ms - start_ms) / (end_ms - start_ms)) * width;
      node.hidden = at_ms === null || x < 0 || x > width;
      if (node.hidden || at_ms === null) return;
      node.style.transform = `translateX(${left + x}px)`;
      node.dataset.side = x > width - 150 ? "left" : "right";
      if (!slider) return;
      node.setAttribute("aria-valuenow", String(Math.round(at_ms)));
      node.setAttribute("aria-valuetext", words(at_ms));
    };
    const draw = () => {
      put(hover.current, cursors.hover, false);
      put(first.current, cursors.a, true);
      put(second.current, cursors.b, true);
      if (told.current && cursors.hover !== null) told.current.textContent = words(cursors.hover);
    };
    draw();
    const stops = [cursors.subscribe(draw), picture.subscribe(draw)];
    return () => stops.forEach((stop) => stop());
  }, [picture, cursors, left, width, zone]);
  const pressed = (which: "a" | "b") => (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 };
    const step = steps[event.key];
    const at_ms = cursors[which];
    if (event.key === "Delete" || event.key === "Escape") cursors.place(which === "a" ? null : cursors.a, which === "b" ? null : cursors.b);
    else if (step !== undefined && at_ms !== null) {
      const { start_ms, end_ms } = picture.span;
      const next = Math.min(Math.max(at_ms + step * KEY_STEP * (end_ms - start_ms), start_ms), end_ms);
      cursors.place(which === "a" ? next : cursors.a, which === "b" ? next : cursors.b);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    onPlace();
  };
  return (
    <>
      <div ref={hover} className="ms-trend-line ms-trend-hover" hidden>
        <span ref={told} className="ms-num" />
      </div>
      {(["a", "b"] as const).map((which) => (
        <div
          key={which}
          ref={which === "a" ? first : second}
          className={`ms-trend-line ms-trend-cursor ms-trend-cursor-${which}`}
          role="slider"
          aria-label={t(which === "a" ? "cursorA" : "cursorB")}
          aria-valuenow={0}
          tabIndex={0}
          onKeyDown={pressed(which)}
          hidden
        >
          <span>{which.toUpperCase()}</span>
        </div>
      ))}
    </>
  );
}
