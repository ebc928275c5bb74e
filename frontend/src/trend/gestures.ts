/** Pointer, wheel and touch on the charts, turned into spans and cursor moves. */
import type { Zoom } from "./range";

export interface GestureTarget {
  span: () => Zoom;
  /** Drawing area inside the element, in pixels from its left edge. */
  area: () => { left: number; width: number };
  /** The span changes while a gesture goes on. */
  draft: (span: Zoom) => void;
  /** The gesture ended here. */
  commit: (span: Zoom) => void;
  select: (from: number | null, until: number | null) => void;
  hover: (at_ms: number | null) => void;
  click: (at_ms: number) => void;
  out: () => void;
  clamp: (span: Zoom, factor: number, around_ms: number) => Zoom;
}

const DRAG_MIN_PX = 4;
const DOUBLE_MS = 250;
const WHEEL_SETTLE_MS = 250;
const WHEEL_STEP = 0.0015;

export function listen(root: HTMLElement, on: GestureTarget): () => void {
  const pointers = new Map<number, number>();
  let start: { x: number; span: Zoom; pan: boolean; moved: boolean } | null = null;
  let pinch: { span: Zoom; from: number; gap: number } | null = null;
  let clickTimer: ReturnType<typeof setTimeout> | undefined;
  let wheelTimer: ReturnType<typeof setTimeout> | undefined;
  let drafted: Zoom | null = null;

  const place = (event: { clientX: number }) => {
    const { left, width } = on.area();
    return Math.min(Math.max(event.clientX - root.getBoundingClientRect().left - left, 0), width);
  };
  const timeAt = (x: number, span: Zoom) => span.start_ms + (x / Math.max(on.area().width, 1)) * (span.end_ms - span.start_ms);
  const draft = (span: Zoom) => {
    drafted = span;
    on.draft(span);
  };

  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const x = place(event);
    pointers.set(event.pointerId, x);
    if (pointers.size === 2) {
      const [first = 0, second = 0] = pointers.values();
      pinch = { span: on.span(), from: (first + second) / 2, gap: Math.max(Math.abs(first - second), 20) };
      start = null;
      on.select(null, null);
      return;
    }
    start = { x, span: on.span(), pan: event.shiftKey, moved: false };
    if (event.pointerType === "mouse") root.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    const x = place(event);
    if (pointers.has(event.pointerId)) pointers.set(event.pointerId, x);
    if (pinch && pointers.size === 2) {
      const [first = 0, second = 0] = pointers.values();
      const factor = pinch.gap / Math.max(Math.abs(first - second), 20);
      const around = timeAt(pinch.from, pinch.span);
      const zoom = on.clamp(pinch.span, factor, around);
      const shift = ((pinch.from - (first + second) / 2) / Math.max(on.area().width, 1)) * (zoom.end_ms - zoom.start_ms);
      draft(on.clamp({ start_ms: zoom.start_ms + shift, end_ms: zoom.end_ms + shift }, 1, around));
      return;
    }
    on.hover(timeAt(x, on.span()));
    if (!start || event.pointerType === "touch") return;
    if (Math.abs(x - start.x) >= DRAG_MIN_PX) start.moved = true;
    if (!start.moved) return;
    if (start.pan) {
      const shift = timeAt(start.x, start.span) - timeAt(x, start.span);
      draft(on.clamp({ start_ms: start.span.start_ms + shift, end_ms: start.span.end_ms + shift }, 1, start.span.end_ms));
    } else on.select(Math.min(x, start.x), Math.max(x, start.x));
  };
  const up = (event: PointerEvent) => {
    const x = place(event);
    pointers.delete(event.pointerId);
    if (pinch) {
      if (pointers.size === 0) {
        pinch = null;
        if (drafted) on.commit(drafted);
        drafted = null;
      }
      return;
    }
    if (!start) return;
    const { x: from, span, pan, moved } = start;
    start = null;
    on.select(null, null);
    if (!moved) {
      const at_ms = timeAt(x, span);
      clearTimeout(clickTimer);
      // A double click zooms out and places no cursor.
      clickTimer = setTimeout(() => on.click(at_ms), DOUBLE_MS);
    } else if (pan) {
      if (drafted) on.commit(drafted);
      drafted = null;
    } else on.commit({ start_ms: Math.round(timeAt(Math.min(x, from), span)), end_ms: Math.round(timeAt(Math.max(x, from), span)) });
  };
  const cancel = (event: PointerEvent) => {
    pointers.delete(event.pointerId);
    start = null;
    pinch = null;
    drafted = null;
    on.select(null, null);
  };
  const leave = () => on.hover(null);
  const double = () => {
    clearTimeout(clickTimer);
    on.out();
  };
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const span = on.span();
    const sideways = event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const amount = (event.deltaX || event.deltaY) * (event.deltaMode === 1 ? 30 : 1);
    if (sideways) {
      const shift = (amount / Math.max(on.area().width, 1)) * (span.end_ms - span.start_ms);
      draft(on.clamp({ start_ms: span.start_ms + shift, end_ms: span.end_ms + shift }, 1, span.end_ms));
    } else {
      const lines = event.deltaY * (event.deltaMode === 1 ? 30 : 1);
      draft(on.clamp(span, Math.exp(Math.max(-300, Math.min(300, lines)) * WHEEL_STEP), timeAt(place(event), span)));
    }
    clearTimeout(wheelTimer);
    wheelTimer = setTimeout(() => {
      if (drafted) on.commit(drafted);
      drafted = null;
    }, WHEEL_SETTLE_MS);
  };

  root.addEventListener("pointerdown", down);
  root.addEventListener("pointermove", move);
  root.addEventListener("pointerup", up);
  root.addEventListener("pointercancel", cancel);
  root.addEventListener("pointerleave", leave);
  root.addEventListener("dblclick", double);
  root.addEventListener("wheel", wheel, { passive: false });
  return () => {
    clearTimeout(clickTimer);
    clearTimeout(wheelTimer);
    root.removeEventListener("pointerdown", down);
    root.removeEventListener("pointermove", move);
    root.removeEventListener("pointerup", up);
    root.removeEventListener("pointercancel", cancel);
    root.removeEventListener("pointerleave", leave);
    root.removeEventListener("dblclick", double);
    root.removeEventListener("wheel", wheel);
  };
}
