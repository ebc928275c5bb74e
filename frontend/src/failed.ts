import { useCallback } from "react";
import { App } from "antd";
import { reasonOf } from "./api";
import { useSay } from "./words";

const STAYS_S = 20;

/** Tell that something asked for did not happen, in the server's words. */
export function useFailed(): (error: unknown) => void {
  const say = useSay();
  const { notification } = App.useApp();
  return useCallback(
    (error) => {
      const text = say(reasonOf(error));
      // Drawers open at the right: what failed there is told beside them, not over their buttons.
      // It leaves by itself, not while the pointer rests on it; the same said twice stands once.
      notification.error({ key: text, title: text, duration: STAYS_S, pauseOnHover: true, showProgress: true, placement: "bottomLeft" });
    },
    [say, notification],
  );
}
