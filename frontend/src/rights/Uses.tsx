import { useEffect } from "react";
import { api } from "../api";
import { Empty, PageState } from "../components/PageState";
import { formatCount } from "../format/number";
import { useResource } from "../resource";
import { useZone } from "../session";
import { type Say, useWords } from "../words";
import { rightsWords } from "../words/rights";

const AGAIN_MS = 5000;
const SHOWN = 200;
const BRIEF = 8;

interface Use {
  minute_ms: number;
  company: string;
  pseudonym: string | null;
  doing: string;
  rows: number;
}

function doingWord(doing: string, t: Say<typeof rightsWords>): string {
  const key = `do_${doing}`;
  return key in rightsWords ? t(key as keyof typeof rightsWords) : doing;
}

/** Who used a grant, in which minute, how many records they got; people of another company are known to it alone. */
export function Uses({ grant }: { grant: string }) {
  const t = useWords(rightsWords);
  const zone = useZone();
  const uses = useResource(grant, (signal) => api.get<{ items: Use[]; total: number }>(`/grants/${grant}/uses`, { limit: SHOWN }, signal), true);
  const { reload } = uses;
  useEffect(() => {
    const timer = setInterval(reload, AGAIN_MS);
    return () => clearInterval(timer);
  }, [reload]);
  return (
    <PageState state={uses} rows={4}>
      {({ items, total }) =>
        items.length === 0 ? (
          <Empty title={t("noUses")} text={t("noUsesText")} />
        ) : (
          <div className="ms-stack ms-gap-top">
            <div className="ms-panel ms-scroll" tabIndex={0} role="group" aria-label={t("uses")}>
              <table className="ms-table">
                <thead>
                  <tr>
                    <th scope="col">{t("minute")}</th>
                    <th scope="col">{t("company")}</th>
                    <th scope="col">{t("someone")}</th>
                    <th scope="col">{t("did")}</th>
                    <th scope="col" className="ms-grid-end">{t("rows")}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((use) => (
                    <tr key={`${use.minute_ms} ${use.company} ${use.pseudonym ?? ""} ${use.doing}`}>
                      <td className="ms-num">{zone.full(use.minute_ms).slice(0, 16)}</td>
                      <td>{use.company}</td>
                      <td className="ms-code">{use.pseudonym?.slice(-BRIEF) ?? "–"}</td>
                      <td>{doingWord(use.doing, t)}</td>
                      <td className="ms-num ms-grid-end">{formatCount(use.rows)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
            <p className="ms-third ms-caption">{total > items.length ? t("usesMore", { n: items.length, total }) : t("usesText")}</p>
          </div>
        )
      }
    </PageState>
  );
}
