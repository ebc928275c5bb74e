import { useZone } from "../session";
import { useSay, useWords } from "../words";
import { rightsWords } from "../words/rights";
import type { SharedBy } from "./shared";

/** Above records of another company: who shows them, what for, until when, and what may be done with them. */
export function SharedLine({ shared: { name, grants } }: { shared: SharedBy }) {
  const t = useWords(rightsWords);
  const say = useSay();
  const zone = useZone();
  const company = say(name);
  return grants.map((grant, index) => {
    const more = [grant.may_export ? t("do_export") : "", grant.may_comment ? t("do_comment") : ""].filter(Boolean).join(t("between"));
    const told = { company, purpose: grant.purpose, time: zone.full(grant.until_ms).slice(0, 16) };
    return (
      <p key={index} className="ms-second ms-num" role="note">
        {more === "" ? t("lookOnly", told) : t("lookMore", { ...told, more })} {t("shownUpTo", { grade: t(`grade_${grant.up_to}`) })}
      </p>
    );
  });
}
