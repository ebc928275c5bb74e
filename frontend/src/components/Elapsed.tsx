import { useRef } from "react";
import { elapsed } from "../format/time";
import { useSecond } from "../live";

/** Time since, counted by the second in its own text. */
export function Elapsed({ sinceMs }: { sinceMs: number }) {
  const text = useRef<HTMLSpanElement>(null);
  useSecond((now) => {
    if (text.current) text.current.textContent = elapsed(now - sinceMs);
  });
  return <span ref={text} className="ms-num" />;
}
