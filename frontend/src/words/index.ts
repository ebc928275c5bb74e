import { useMemo } from "react";
import { usePreferences } from "../preferences";
import type { Words } from "../types";
import { choose, fill, type Messages, type Values } from "./format";
import { shared } from "./shared";

export type { Messages, Values } from "./format";

/** Say a sentence of a table; words all pages share ("save", "cancel", "unit") are in every table. */
export type Say<T extends Messages> = (key: (keyof T & string) | keyof typeof shared, values?: Values) => string;

/**
 * The sentences of an area in the reader's language: `const t = useWords(trendWords)`, then `t("zoomOut", { n: 3 })`.
 * The function stays the same until the language changes, so it may be listed as a dependency.
 */
export function useWords<T extends Messages = typeof shared>(table?: T): Say<T> {
  const { language } = usePreferences();
  return useMemo(() => {
    const all: Messages = table ? { ...shared, ...table } : shared;
    return (key, values) => {
      const sentence = all[key];
      return sentence === undefined ? key : fill(sentence[language], values ?? {});
    };
  }, [language, table]);
}

/** Choose the reader's language of words that come from the server: names, errors, descriptions. */
export function useSay(): (words: Words | string | null | undefined) => string {
  const { language } = usePreferences();
  return useMemo(() => (words) => choose(words, language), [language]);
}
