import type { MenuProps } from "antd";
import { api, urlOf } from "../api";
import { usePreferences } from "../preferences";
import { useResource } from "../resource";
import type { Words } from "../types";
import { useSay } from "../words";

/** The sizes of printed labels as a menu; the server makes the page to print, with QR codes, beside this one. */
export function useLabelSizes(kind: string): (ids: readonly string[]) => NonNullable<MenuProps["items"]> {
  const say = useSay();
  const { language } = usePreferences();
  const sizes = useResource("label-sizes", (signal) => api.get<{ items: { size: string; words: Words }[] }>("/label-sizes", {}, signal));
  const print = (ids: readonly string[], size: string) => void window.open(urlOf(`/records/${kind}/labels`, { ids: ids.join(","), size, language }), "_blank", "noopener");
  return (ids) => (sizes.value?.items ?? []).map(({ size, words }) => ({ key: size, label: say(words), onClick: () => print(ids, size) }));
}
