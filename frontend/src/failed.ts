import { useCallback } from "react";
import { App } from "antd";
import { ApiError } from "./api";
import { useSay } from "./words";

/** Tell that something asked for did not happen, in the server's words. */
export function useFailed(): (error: unknown) => void {
  const say = useSay();
  const { notification } = App.useApp();
  return useCallback(
    (error) => {
      const text = error instanceof ApiError ? say(error.text) : String(error);
      // Drawers open at the right: what failed there is told beside them, not over their buttons.
      notification.error({ title: text, duration: 0, placement: "bottomLeft" });
    },
    [say, notification],
  );
}
