import { useState } from "react";
import { Link } from "react-router";
import { Input } from "antd";
import { api } from "../api";
import { Empty, NoneMatch, PageState } from "../components/PageState";
import { useKind } from "../records/use-kind";
import { useResource } from "../resource";
import { useZone } from "../session";
import { useWords } from "../words";
import { rightsWords } from "../words/rights";
import { Because, useDoingWords } from "./Because";
import { bySource, type Doing, type Granted, type Someone } from "./types";
import "./rights.css";

const FEW = 8;

interface Told {
  items: (Someone & { doings: Doing[] })[];
  grants: Granted[];
}

function Grants({ grants }: { grants: readonly Granted[] }) {
  const t = useWords(rightsWords);
  const zone = useZone();
  if (grants.length === 0) return null;
  return (
    <section className="ms-panel">
      <h2>{t("otherCompanies")}</h2>
      <ul className="ms-list">
        {grants.map((grant) => (
          <li key={grant.id} className="ms-row ms-wrap ms-rights-line">
            <span className="ms-bold">{grant.company}</span>
            <span>{[t(grant.shows === "figures" ? "onlyFigures" : "do_view"), grant.may_export ? t("do_export") : "", grant.may_comment ? t("do_comment") : ""].filter(Boolean).join(t("between"))}</span>
            <span className="ms-second ms-grow">{grant.purpose}</span>
            <span className="ms-third ms-num">{t("until", { time: zone.full(grant.until_ms).slice(0, 16) })}</span>
            <Link to={`/admin/grants/${grant.id}`}>{grant.number}</Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Who can do what here, and why: with a kind of record, one record, or in a part of the plant. */
export function WhoCan({ kind = "", id = "", asset = "" }: { kind?: string; id?: string; asset?: string }) {
  const t = useWords(rightsWords);
  const [text, setText] = useState("");
  const told = useResource(`${kind} ${id} ${asset}`, (signal) => api.get<Told>("/access", { kind, id, asset }, signal), true);
  const known = useKind(kind === "" ? null : kind);
  const words = useDoingWords(known.value);
  const wanted = text.trim().toLowerCase();
  return (
    <div className="ms-stack ms-gap-top">
      <PageState state={told} rows={6}>
        {({ items, grants }) => {
          const shown = items.filter(({ name }) => name.toLowerCase().includes(wanted));
          return (
            <>
              {items.length > FEW ? <Input allowClear className="ms-rights-find" value={text} onChange={(event) => setText(event.target.value)} aria-label={t("findPerson")} placeholder={t("findPerson")} /> : null}
              {items.length === 0 ? <Empty title={t("nobody")} text={t("nobodyText")} /> : shown.length === 0 ? <NoneMatch total={items.length} onClear={() => setText("")} /> : null}
              {shown.length > 0 ? (
                <div className="ms-panel ms-scroll" tabIndex={0} role="group" aria-label={t("whoCan")}>
                  <table className="ms-table ms-rights">
                    <thead>
                      <tr>
                        <th scope="col">{t("who")}</th>
                        <th scope="col">{t("can")}</th>
                        <th scope="col">{t("because")}</th>
                      </tr>
                    </thead>
                    {shown.map((someone) => (
                      <tbody key={someone.id}>
                        {bySource(someone.doings).map(({ source, doings }, index, all) => (
                          <tr key={source.id ?? source.role} className={source.active === false ? "ms-third" : ""}>
                            {index === 0 ? (
                              <th scope="rowgroup" rowSpan={all.length}>
                                {someone.name}
                                {someone.sort === "credential" ? <span className="ms-third ms-block">{t("token")}</span> : null}
                              </th>
                            ) : null}
                            <td>{words(doings)}</td>
                            <td><Because source={source} /></td>
                          </tr>
                        ))}
                      </tbody>
                    ))}
                  </table>
                </div>
              ) : null}
              <Grants grants={grants} />
            </>
          );
        }}
      </PageState>
    </div>
  );
}
