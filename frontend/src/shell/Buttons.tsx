import { Icon } from "../components/Icon";
import { usePreferences } from "../preferences";
import { useWords } from "../words";
import { shellWords } from "../words/shell";

/** Switch between the two languages; written in the language it leads to. */
export function LanguageButton({ onChange }: { onChange?: (language: "en" | "zh") => void }) {
  const t = useWords(shellWords);
  const { language, setLanguage } = usePreferences();
  const next = language === "zh" ? "en" : "zh";
  const change = () => {
    setLanguage(next);
    onChange?.(next);
  };
  return (
    <button type="button" className="ms-plain ms-icon-button" title={t("language")} onClick={change}>
      <span className="ms-hidden">{t("language")}</span>
      <span aria-hidden="true">{next === "zh" ? "中" : "EN"}</span>
    </button>
  );
}

export function ThemeButton({ onChange }: { onChange?: (theme: "light" | "dark") => void }) {
  const t = useWords(shellWords);
  const { mode, setTheme } = usePreferences();
  const next = mode === "dark" ? "light" : "dark";
  const label = t(next === "dark" ? "toDark" : "toLight");
  const change = () => {
    setTheme(next);
    onChange?.(next);
  };
  return (
    <button type="button" className="ms-plain ms-icon-button" aria-label={label} title={label} onClick={change}>
      <Icon name="theme" />
    </button>
  );
}
