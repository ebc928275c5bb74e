import type { MenuProps } from "antd";
import { api, urlOf } from "../api";
import { usePreferences } from "../preferences";
import { useResource } from "../resource";
import type { Words } from "../types";
import { useSay } from "../words";

/** The sizes of printed labels as a menu; the server makes the page to print, with QR codes, beside this one. */
export function useLabelSizes(kind: string): (ids: readonly string[]) => MenuProps {
  const say = useSay();
  const { language } = usePreferences();
  const sizes = useResource("label-sizes", (signal) => api.get<{ items: { size: string; words: Words }[] }>("/label-sizes", {}, signal));
  return (ids) => ({
    items: (sizes.value?.items ?? []).map(({ size, words }) => ({ key: size, label: say(words) })),
    onClick: ({ key }) => void window.open(urlOf(`/records/${kind}/labels`, { ids: ids.join(","), size: key, language }), "_blank", "noopener"),
  });
}
