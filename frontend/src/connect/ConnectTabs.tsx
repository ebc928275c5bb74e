import { NavLink } from "react-router";
import { useSession } from "../session";
import { useWords } from "../words";
import { connectWords } from "../words/connect";

const PLACES = [
  { to: "/connect", key: "connections", end: true },
  { to: "/connect/gateways", key: "gatewaysTab", end: false },
  { to: "/connect/devices", key: "devicesTab", end: false },
  { to: "/connect/templates", key: "templatesTab", end: false },
  { to: "/connect/import", key: "importsTab", end: false },
  { to: "/connect/history-import", key: "historyImportsTab", end: false },
] as const;

/** The pages of this area; those who only look see the connections alone. */
export function ConnectTabs() {
  const t = useWords(connectWords);
  const { may } = useSession();
  if (!may("engineer")) return null;
  return (
    <nav className="ms-places" aria-label={t("areas")}>
      {PLACES.map(({ to, key, end }) => (
        <NavLink key={to} to={to} end={end}>
          {t(key)}
        </NavLink>
      ))}
    </nav>
  );
}
