import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { App, ConfigProvider } from "antd";
import enUS from "antd/locale/en_US";
import zhCN from "antd/locale/zh_CN";
import { nonce } from "./nonce";
import { type Preferences, PreferencesContext, storedLanguage, storedTheme } from "./preferences";
import { watchFocus } from "./shell/focus-back";
import { Outside, outsideOf } from "./shell/Outside";
import { SessionGate } from "./shell/SessionGate";
import { themes } from "./theme/antd";
import type { Language, ThemeChoice } from "./types";

const locales = { en: enUS, zh: zhCN } as const;
const darkQuery = matchMedia("(prefers-color-scheme: dark)");

function useSystemDark(): boolean {
  return useSyncExternalStore(
    (changed) => {
      darkQuery.addEventListener("change", changed);
      return () => darkQuery.removeEventListener("change", changed);
    },
    () => darkQuery.matches,
  );
}

function useKeptPreferences(): Preferences {
  const [language, setLanguage] = useState<Language>(storedLanguage);
  const [theme, setTheme] = useState<ThemeChoice>(storedTheme);
  const systemDark = useSystemDark();
  const mode = theme === "system" ? (systemDark ? "dark" : "light") : theme;
  useEffect(() => {
    localStorage.setItem("ms-language", language);
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  }, [language]);
  useEffect(() => {
    localStorage.setItem("ms-theme", theme);
    document.documentElement.dataset.theme = mode;
  }, [theme, mode]);
  return useMemo(() => ({ language, theme, mode, setLanguage, setTheme }), [language, theme, mode]);
}

/** The whole page: preferences, antd in our theme, then whoever is signed in. */
export function Page() {
  const preferences = useKeptPreferences();
  useEffect(watchFocus, []);
  const outside = outsideOf(window.location.pathname);
  return (
    <PreferencesContext value={preferences}>
      <ConfigProvider
        theme={themes[preferences.mode]}
        locale={locales[preferences.language]}
        csp={{ nonce }}
        wave={{ disabled: true }}
        button={{ autoInsertSpace: false }}
      >
        <App className="ms-app" message={{ duration: 6, maxCount: 3 }}>
          {outside ? <Outside page={outside} /> : <SessionGate />}
        </App>
      </ConfigProvider>
    </PreferencesContext>
  );
}
