import { type MouseEvent, type ReactNode, useEffect, useState } from "react";
import { Link, useLocation, useNavigate } from "react-router";
import { App, Button, Drawer } from "antd";
import { alarmStore, followAlarms, useAlarmList } from "../alarms/store";
import { reasonOf } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { Icon } from "../components/Icon";
import { Banner, StaleBanner } from "../components/PageState";
import { Replayed } from "../components/Replayed";
import { formatNumber } from "../format/number";
import { PreviewBanner } from "../rights/PreviewBanner";
import { usePageNotices } from "./page-notices";
import { useDegradedRoles, useFeed } from "../live";
import { useSession } from "../session";
import { useSay, useWords } from "../words";
import { shellWords } from "../words/shell";
import { ENTRIES, type Entry, isOpen } from "./entries";
import { Header } from "./Header";
import { useFocusOf } from "./focus-back";
import { onShellKeys } from "./keys";
import { KeysDialog } from "./KeysDialog";
import { Palette } from "./Palette";
import "./shell.css";

const PHONE = [ENTRIES[0], ENTRIES[2], ENTRIES[1], ENTRIES[3]] as Entry[];
const REST = ENTRIES.slice(4);

const isIn = (path: string, place: string) => path === place || path.startsWith(place === "/" ? "//" : `${place}/`);
const isAt = (path: string, { to, also }: Entry) => isIn(path, to) || (also !== undefined && isIn(path, also));

function Links({ entries, onGo }: { entries: readonly Entry[]; onGo?: () => void }) {
  const t = useWords();
  const { pathname } = useLocation();
  const session = useSession();
  return entries.filter(({ open }) => open(session)).map((entry) => (
    <Link key={entry.to} to={entry.to} aria-current={isAt(pathname, entry) ? "page" : undefined} className={entry.to === "/admin" ? "ms-inset ms-rail-last" : "ms-inset"} title={t(entry.name)} onClick={onGo}>
      <Icon name={entry.name} />
      <span>{t(entry.name)}</span>
    </Link>
  ));
}

function PhoneBar() {
  const t = useWords(shellWords);
  const [open, setOpen] = useState(false);
  return (
    <nav className="ms-bar" aria-label={t("navigation")}>
      <Links entries={PHONE} />
      <button type="button" className="ms-plain ms-inset" onClick={() => setOpen(true)} aria-expanded={open}>
        <Icon name="more" />
        <span>{t("more")}</span>
      </button>
      <Drawer open={open} onClose={() => setOpen(false)} placement="bottom" size={300} title={t("more")} destroyOnHidden>
        <div className="ms-bar-more">
          <Links entries={REST} onGo={() => setOpen(false)} />
        </div>
      </Drawer>
    </nav>
  );
}

/** The newest unacknowledged critical alarm, always in sight. */
function CriticalLine() {
  const t = useWords(shellWords);
  const say = useSay();
  const { message } = App.useApp();
  const navigate = useNavigate();
  const { mayAt } = useSession();
  const { alarms, pending } = useAlarmList();
  const open = alarms.filter((alarm) => alarm.priority === "critical" && alarm.state === "active-unacknowledged");
  const [first] = open;
  if (!first) return null;
  const acknowledge = () => {
    alarmStore.acknowledge([first.alarm]).then(
      (refused) => refused[0] && message.warning(say(refused[0].text)),
      (error: unknown) => message.error(say(reasonOf(error))),
    );
  };
  const value = first.value === null ? "" : `${formatNumber(first.value, first.decimals)} ${first.unit}`;
  return (
    <div className="ms-critical ms-blink" role="status">
      <AlarmSign priority="critical" />
      <span className="ms-bold ms-cut">{say(first.name)}</span>
      <span className="ms-num ms-no-phone">
        {first.replayed ? <Replayed /> : null} {value}
      </span>
      <span className="ms-num ms-second ms-no-phone">{t("limitIs", { limit: `${formatNumber(first.limit, first.decimals)} ${first.unit}` })}</span>
      <span className="ms-grow" />
      {open.length > 1 ? <span className="ms-third ms-num">{t("oneOf", { n: open.length })}</span> : null}
      {mayAt("operator", first.path) ? (
        <Button size="small" onClick={acknowledge} loading={pending.has(first.alarm)}>
          {t("acknowledge")}
        </Button>
      ) : null}
      <Button size="small" onClick={() => void navigate(`/alarms?alarm=${first.alarm}`)}>
        {t("go")}
      </Button>
    </div>
  );
}

/** A part of the platform that restarts or is silent is said, not hidden. */
function RoleBanner() {
  const say = useSay();
  const t = useWords(shellWords);
  const { zone } = useSession();
  return useDegradedRoles().map(({ role, text, since_ms }) => (
    <Banner key={role}>
      {say(text)} <span className="ms-third ms-num">{t("roleSince", { time: zone.time(since_ms) })}</span>
    </Banner>
  ));
}

/** Another zone in the browser is announced once. */
function ZoneNote() {
  const t = useWords(shellWords);
  const { site, zone } = useSession();
  const now = site.now_ms;
  const differs = -new Date(now).getTimezoneOffset() * 60_000 !== zone.offsetMs(now);
  const [shown, setShown] = useState(() => differs && localStorage.getItem("ms-zone-told") !== site.zone);
  if (!shown) return null;
  const close = () => {
    localStorage.setItem("ms-zone-told", site.zone);
    setShown(false);
  };
  return (
    <Banner action={<Button size="small" onClick={close}>{t("understood")}</Button>}>{t("otherZone", { zone: site.zone })}</Banner>
  );
}

/** What every page stands in: header, newest critical alarm, rail, banners. */
export function Shell({ children }: { children: ReactNode }) {
  const t = useWords(shellWords);
  const navigate = useNavigate();
  const { pathname } = useLocation();
  const session = useSession();
  const [palette, setPalette] = useState(false);
  const [keys, setKeys] = useState(false);
  const main = useFocusOf<HTMLElement>(pathname);
  // Not by the address: a page that asks before it is left must not ask now.
  const skip = (event: MouseEvent) => {
    event.preventDefault();
    main.current?.focus();
  };
  const watches = session.maySomewhere("viewer");
  useFeed(watches);
  usePageNotices(watches);
  useEffect(() => (watches ? followAlarms() : undefined), [watches]);
  useEffect(
    () => onShellKeys({ palette: () => setPalette(true), help: () => setKeys(true), go: (to) => isOpen(to, session) && void navigate(to) }),
    [navigate, session],
  );
  useEffect(() => {
    const entry = ENTRIES.find((each) => isAt(pathname, each));
    document.title = entry ? `${t(entry.name)} - ${t("product")}` : t("product");
  }, [pathname, t]);
  return (
    <div className="ms-shell">
      <PreviewBanner />
      <a className="ms-skip" href="#main" onClick={skip}>
        {t("skip")}
      </a>
      <Header onPalette={() => setPalette(true)} onKeys={() => setKeys(true)} />
      <CriticalLine />
      <ZoneNote />
      <RoleBanner />
      <StaleBanner />
      <div className="ms-body">
        <nav className="ms-rail" aria-label={t("navigation")}>
          <Links entries={ENTRIES} />
        </nav>
        <main ref={main} id="main" className="ms-main" tabIndex={-1}>
          {children}
        </main>
      </div>
      <PhoneBar />
      <Palette open={palette} onClose={() => setPalette(false)} />
      <KeysDialog open={keys} onClose={() => setKeys(false)} />
    </div>
  );
}
