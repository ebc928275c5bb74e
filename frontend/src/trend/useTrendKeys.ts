import { useEffect, useLayoutEffect, useRef } from "react";
import { isTyping, lettersAreKeys } from "../shell/keys";

export interface TrendKeys {
  pan: (share: number) => void;
  zoom: (factor: number) => void;
  live: () => void;
  line: (index: number) => void;
  /** Whether there was something to leave. */
  escape: () => boolean;
}

const PAN_SHARE = 0.25;
const OWN_ARROWS = "[role=slider], [role=grid], [role=menu], [role=listbox], [role=radiogroup], [role=dialog]";

/** Arrows pan, + and - zoom, l live, 1-9 lines. */
export function useTrendKeys(keys: TrendKeys): void {
  const latest = useRef(keys);
  useLayoutEffect(() => {
    latest.current = keys;
  });
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (event.target instanceof Element && event.target.closest(OWN_ARROWS)) return;
      const on = latest.current;
      if (event.key === "ArrowLeft") on.pan(-PAN_SHARE);
      else if (event.key === "ArrowRight") on.pan(PAN_SHARE);
      else if (event.key === "Escape") {
        if (!on.escape()) return;
      } else if (!lettersAreKeys()) return;
      else if (event.key === "+" || event.key === "=") on.zoom(0.5);
      else if (event.key === "-") on.zoom(2);
      else if (event.key === "l") on.live();
      else if (/^[1-9]$/.test(event.key)) on.line(Number(event.key) - 1);
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}
