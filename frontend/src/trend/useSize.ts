import { type RefObject, useLayoutEffect, useRef, useState } from "react";

/** The inner size of an element, as whole pixels. */
export function useSize<T extends HTMLElement>(): [RefObject<T | null>, { width: number; height: number }] {
  const node = useRef<T>(null);
  const [size, setSize] = useState({ width: 0, height: 0 });
  useLayoutEffect(() => {
    if (!node.current) return;
    const watch = new ResizeObserver(([entry]) => {
      if (!entry) return;
      const [width, height] = [Math.floor(entry.contentRect.width), Math.floor(entry.contentRect.height)];
      setSize((before) => (before.width === width && before.height === height ? before : { width, height }));
    });
    watch.observe(node.current);
    return () => watch.disconnect();
  }, []);
  return [node, size];
}
