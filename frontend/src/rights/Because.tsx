import { Link } from "react-router";
import type { Kind } from "../records/types";
import { rightWord } from "../records/use-kind";
import { useZone } from "../session";
import { ROLES, type Role } from "../types";
import { useSay, useWords } from "../words";
import { recordWords } from "../words/records";
import { rightsWords } from "../words/rights";
import type { Source } from "./types";

/** A role in the reader's words; one of the company's own by its code. */
export function useRoleWord(): (role: string) => string {
  const t = useWords();
  return (role) => (ROLES.includes(role as Role) ? t(role as Role) : role);
}

/** What can be done, in words: with a kind of record, or by the rights of the platform. */
export function useDoingWords(kind: Kind | undefined): (doings: readonly string[]) => string {
  const t = useWords(rightsWords);
  const tRight = useWords(recordWords);
  const say = useSay();
  const word = (doing: string) => {
    const step = /^move:(.*)$/.exec(doing)?.[1];
    if (step !== undefined) return t("step", { name: say(kind?.moves.find(({ name }) => name === step)?.words ?? step) });
    const key = `do_${doing}`;
    return kind && key in rightsWords ? t(key as keyof typeof rightsWords) : rightWord(doing, tRight);
  };
  return (doings) => doings.map(word).join(t("between"));
}

/** Why: the role, or the assignment with its conditions and the reason somebody wrote. */
export function Because({ source }: { source: Source }) {
  const t = useWords(rightsWords);
  const roleWord = useRoleWord();
  const zone = useZone();
  const role = roleWord(source.role);
  if (source.by === "role") return <>{t("byRole", { role })}</>;
  const moment = (ms: number) => zone.full(ms).slice(0, 16);
  const conditions = [
    source.place && t("in", { place: source.place }),
    source.company && t(source.company === "owner" ? "whereOwner" : "whereOperator"),
    source.shift ? t("inShift", { shift: source.shift, calendar: source.calendar ?? "" }) : source.calendar && t("inTime", { calendar: source.calendar }),
    source.from_ms && t("from", { time: moment(source.from_ms) }),
    source.until_ms && t("until", { time: moment(source.until_ms) }),
  ].filter(Boolean);
  return (
    <>
      {t("byRole", { role })} · <Link className="ms-inline-link" to={`/admin/assignments/${source.id ?? ""}`}>{source.number}</Link>
      {source.active === false ? <span className="ms-bold"> · {t("notNow")}</span> : null}
      {conditions.length > 0 ? <span className="ms-second"> · {conditions.join(t("between"))}</span> : null}
      {source.reason ? <span className="ms-third ms-block">{t("reason", { text: source.reason })}</span> : null}
    </>
  );
}
