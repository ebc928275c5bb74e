import { useSyncExternalStore } from "react";
import { breakpoints } from "./theme/tokens";

function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const list = matchMedia(query);
      list.addEventListener("change", changed);
      return () => list.removeEventListener("change", changed);
    },
    () => matchMedia(query).matches,
  );
}

export const usePhone = () => useMedia(`(max-width: ${breakpoints.phone - 1}px)`);
export const useNarrow = () => useMedia(`(max-width: ${breakpoints.tablet - 1}px)`);
/** Room for a list and what is chosen in it side by side. */
export const useWide = () => useMedia(`(min-width: ${breakpoints.wide}px)`);
/** A finger instead of a mouse: larger targets. */
export const useTouch = () => useMedia("(pointer: coarse)");
