import { useEffect, useRef } from "react";
import { useBlocker } from "react-router";
import { App } from "antd";
import { useWords } from "../words";
import { connectWords } from "../words/connect";

/** Ask before leaving what was entered; returns a way to allow leaving once it is saved. */
export function useLeaving(changed: boolean): () => void {
  const t = useWords(connectWords);
  const { modal } = App.useApp();
  const guard = useRef(changed);
  useEffect(() => {
    guard.current = changed;
  }, [changed]);
  const blocker = useBlocker(({ currentLocation, nextLocation }) => guard.current && currentLocation.pathname !== nextLocation.pathname);
  const { state, proceed, reset } = blocker;
  useEffect(() => {
    if (state !== "blocked") return;
    void modal.confirm({ title: t("leaveSure"), content: t("leaveText"), okText: t("leave"), cancelText: t("stay"), autoFocusButton: "cancel", onOk: () => proceed?.(), onCancel: () => reset?.() });
  }, [state, proceed, reset, modal, t]);
  useEffect(() => {
    if (!changed) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [changed]);
  return () => {
    guard.current = false;
  };
}
