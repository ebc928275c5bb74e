/** Language and theme of the person, kept in the browser until the session says otherwise. */

import { createContext, useContext } from "react";
import type { Language, ThemeChoice } from "./types";
import type { Mode } from "./theme/tokens";

export interface Preferences {
  language: Language;
  theme: ThemeChoice;
  /** What the theme comes to: `system` asks the browser. */
  mode: Mode;
  setLanguage: (language: Language) => void;
  setTheme: (theme: ThemeChoice) => void;
}

export const PreferencesContext = createContext<Preferences | null>(null);

export function usePreferences(): Preferences {
  const found = useContext(PreferencesContext);
  if (!found) throw new Error("usePreferences outside its provider");
  return found;
}

export function storedLanguage(): Language {
  const kept = localStorage.getItem("ms-language");
  if (kept === "en" || kept === "zh") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

export function storedTheme(): ThemeChoice {
  const kept = localStorage.getItem("ms-theme");
  return kept === "light" || kept === "dark" ? kept : "system";
}
