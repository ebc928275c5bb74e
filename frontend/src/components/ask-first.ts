import { useState } from "react";
import { App } from "antd";
import { useWords } from "../words";
import { plantWords } from "../words/plant";

export interface AskFirst {
  changed: boolean;
  setChanged: (changed: boolean) => void;
  /** Close at once, or after asking where something was entered. */
  leave: () => void;
}

/** What was typed into a layer is not lost by Escape or a click beside it: the person is asked first. */
export function useAskFirst(close: () => void): AskFirst {
  const t = useWords(plantWords);
  const { modal } = App.useApp();
  const [changed, setChanged] = useState(false);
  const go = () => {
    setChanged(false);
    close();
  };
  const leave = () => {
    if (!changed) go();
    else void modal.confirm({ title: t("leaveSure"), okText: t("leave"), cancelText: t("back"), autoFocusButton: "cancel", onOk: go });
  };
  return { changed, setChanged, leave };
}
