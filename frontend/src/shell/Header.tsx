import { useRef, useState } from "react";
import { Link as To, useNavigate } from "react-router";
import { App, Drawer, Dropdown, type MenuProps } from "antd";
import { SoundState } from "../alarms/SoundSwitch";
import { useAlarmList } from "../alarms/store";
import { api } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { Icon } from "../components/Icon";
import { shortAge } from "../format/time";
import { type Link, useLink, useSecond } from "../live";
import { usePreferences } from "../preferences";
import { useSession } from "../session";
import { PRIORITIES } from "../theme/tokens";
import type { Language, Person, ThemeChoice } from "../types";
import { type Say, useSay, useWords } from "../words";
import { accountWords } from "../words/account";
import { shellWords } from "../words/shell";
import { LanguageButton, ThemeButton } from "./Buttons";
import { PasswordForm } from "./SignIn";
import { Notices } from "./Notices";
import { Tasks } from "./Tasks";
import { Tokens } from "./Tokens";

function Counts() {
  const t = useWords(shellWords);
  const { counts, loaded } = useAlarmList();
  return (
    <To to="/alarms" className="ms-counts ms-num" title={t("scopePlant")}>
      <span className="ms-hidden">{t("scopePlant")}</span>
      {PRIORITIES.map((priority) => {
        const n = counts[priority].unacknowledged;
        return (
          <span key={priority} className="ms-count" data-none={n === 0}>
            <AlarmSign priority={priority} state={n === 0 ? "active-acknowledged" : "active-unacknowledged"} size={18} silent />
            <span aria-hidden="true">{loaded ? n : "-"}</span>
            <span className="ms-hidden">{loaded ? t("countOf", { n, priority: t(priority) }) : t("countUnknown")}</span>
          </span>
        );
      })}
    </To>
  );
}

function linkText(t: Say<typeof shellWords>, link: Link, timeOf: (ms: number) => string): string {
  switch (link.state) {
    case "connecting":
      return t("linkConnecting");
    case "live":
      return t("linkLive", { lag: shortAge(link.lagMs) ?? "> 1 h" });
    case "delayed":
      return t("linkDelayed", { lag: shortAge(link.lagMs) ?? "> 1 h" });
    case "reconnecting":
      return t("linkReconnecting");
    case "offline":
      return link.sinceMs === 0 ? t("linkOfflineNow") : t("linkOffline", { time: timeOf(link.sinceMs) });
  }
}

/** How late what is shown may be. Written as text; its width is kept. */
function Lag() {
  const t = useWords(shellWords);
  const { zone } = useSession();
  const link = useLink();
  return (
    <span className="ms-link ms-num" data-state={link.state}>
      {linkText(t, link, (ms) => zone.time(ms).slice(0, 5))}
    </span>
  );
}

function Clock() {
  const t = useWords(shellWords);
  const { zone } = useSession();
  const text = useRef<HTMLSpanElement>(null);
  useSecond((now) => {
    if (text.current) text.current.textContent = `${zone.time(now)} ${zone.offsetText(now)}`;
  });
  return <span ref={text} className="ms-clock ms-num ms-second ms-no-phone" title={t("plantTime", { zone: zone.name })} aria-label={t("plantTime", { zone: zone.name })} role="timer" />;
}

const initials = (name: string) => (/^[\u4e00-\u9fff]/.test(name) ? name.slice(0, 2) : name.split(/[\s._-]+/).map((part) => part[0] ?? "").join("").slice(0, 2).toUpperCase());

function PersonMenu({ onKeys, keep }: { onKeys: () => void; keep: (change: { language?: Language; theme?: ThemeChoice }) => void }) {
  const t = useWords(shellWords);
  const tAccount = useWords(accountWords);
  const navigate = useNavigate();
  const { message } = App.useApp();
  const { person, signOut, may, maySomewhere } = useSession();
  const { language, setLanguage, theme, setTheme } = usePreferences();
  const [drawer, setDrawer] = useState<"notices" | "tokens" | "password" | null>(null);
  const name = person.display_name || person.username;
  const next = language === "zh" ? "en" : "zh";
  const items: MenuProps["items"] = [
    { key: "who", label: `${name} · ${t(person.role)}`, disabled: true },
    { type: "divider" },
    { key: "language", label: next === "zh" ? "中文" : "English" },
    { key: "system", label: t("themeSystem"), disabled: theme === "system" },
    { key: "keys", label: t("keys") },
    { key: "account", label: tAccount("account") },
    ...(maySomewhere("viewer") ? [{ key: "notices", label: t("notices") }] : []),
    ...(may("viewer") ? [{ key: "tokens", label: t("tokens") }] : []),
    { key: "password", label: t("changePassword") },
    { type: "divider" },
    { key: "out", label: t("signOut") },
  ];
  const chosen = ({ key }: { key: string }) => {
    if (key === "language") {
      setLanguage(next);
      keep({ language: next });
    } else if (key === "system") {
      setTheme("system");
      keep({ theme: "system" });
    } else if (key === "keys") onKeys();
    else if (key === "account") void navigate("/account");
    else if (key === "notices" || key === "tokens" || key === "password") setDrawer(key);
    else void signOut();
  };
  const changed = () => {
    setDrawer(null);
    message.success(t("passwordChanged"));
  };
  return (
    <>
      <Dropdown menu={{ items, onClick: chosen }} trigger={["click"]} placement="bottomRight">
        <button type="button" className="ms-plain ms-initials" aria-haspopup="menu">
          <span aria-hidden="true">{initials(name)}</span>
          <span className="ms-hidden">{t("person", { name })}</span>
        </button>
      </Dropdown>
      <Drawer open={drawer !== null} onClose={() => setDrawer(null)} title={t(drawer === "notices" ? "notices" : drawer === "tokens" ? "tokenTitle" : "changePassword")} size={drawer === "password" ? 400 : 560} destroyOnHidden>
        {drawer === "notices" ? <Notices /> : drawer === "tokens" ? <Tokens /> : <PasswordForm onDone={changed} />}
      </Drawer>
    </>
  );
}

/** The 48 px that are always there. */
export function Header({ onPalette, onKeys }: { onPalette: () => void; onKeys: () => void }) {
  const t = useWords(shellWords);
  const say = useSay();
  const { site, person, update, maySomewhere } = useSession();
  const keep = (change: { language?: Language; theme?: ThemeChoice }) => {
    update({ ...person, ...change });
    // The choice holds in this browser at once; the session keeps it for the next one.
    void api.patch<{ user: Person }>("/session", change).catch(() => undefined);
  };
  return (
    <header className="ms-header">
      <To to="/" className="ms-plant-name ms-no-phone">
        <span className="ms-cut">{say(site.name)}</span>
        {site.demo ? (
          <span className="ms-demo ms-no-narrow" title={t("demoWhy")}>
            {t("demo")}
          </span>
        ) : null}
      </To>
      <button type="button" className="ms-plain ms-jump ms-no-phone" onClick={onPalette}>
        <Icon name="search" size={16} />
        <span className="ms-grow ms-cut">{t("searchOrJump")}</span>
        <kbd className="ms-key ms-no-tablet">Ctrl K</kbd>
      </button>
      <span className="ms-grow" />
      {maySomewhere("viewer") ? (
        <>
          <Counts />
          <SoundState />
          <Lag />
        </>
      ) : null}
      <Clock />
      <Tasks />
      <button type="button" className="ms-plain ms-icon-button ms-only-phone" onClick={onPalette} aria-label={t("searchOrJump")}>
        <Icon name="search" />
      </button>
      <span className="ms-row ms-no-tablet">
        <LanguageButton onChange={(language) => keep({ language })} />
        <ThemeButton onChange={(theme) => keep({ theme })} />
      </span>
      <PersonMenu onKeys={onKeys} keep={keep} />
    </header>
  );
}

