import { api } from "../api";
import { Empty, PageState } from "../components/PageState";
import type { Kind } from "../records/types";
import { askKind } from "../records/use-kind";
import { useResource } from "../resource";
import type { Words } from "../types";
import { useSay, useWords } from "../words";
import { rightsWords } from "../words/rights";
import { Because, useDoingWords } from "./Because";
import { bySource, type Doing, type Someone, type Source } from "./types";
import "./rights.css";

interface Held extends Someone {
  sources: Source[];
  rights: Doing[];
  kinds: { kind: string; many: Words; doings: Doing[] }[];
}

function Line({ name, kind, doings, alone }: { name: string; kind: Kind | undefined; doings: readonly Doing[]; alone: boolean }) {
  const words = useDoingWords(kind);
  return bySource(doings).map(({ source, doings: can }, index, all) => (
    <tr key={source.id ?? source.role}>
      {index === 0 ? <th scope="rowgroup" rowSpan={all.length}>{name}</th> : null}
      <td>{words(can)}</td>
      {alone ? null : <td><Because source={source} /></td>}
    </tr>
  ));
}

/** What one person can do, and why: by all that is assigned to them. */
export function PersonCan({ id }: { id: string }) {
  const t = useWords(rightsWords);
  const say = useSay();
  const held = useResource(id, (signal) => api.get<Held>(`/access/people/${id}`, {}, signal), true);
  const names = held.value?.kinds.map(({ kind }) => kind).join() ?? "";
  const known = useResource(names || null, () => Promise.all(names.split(",").map(askKind)));
  return (
    <PageState state={held} rows={8}>
      {({ sources, rights, kinds }) => {
        // With a single reason, it stands above once.
        const alone = sources.length === 1;
        return (
          <div className="ms-stack">
            <section className="ms-panel">
              <h2>{t("reasons")}</h2>
              <ul className="ms-list">{sources.map((source) => <li key={source.id ?? source.role} className="ms-rights-line"><Because source={source} /></li>)}</ul>
            </section>
            {rights.length === 0 && kinds.length === 0 ? (
              <Empty title={t("cannot")} />
            ) : (
              <div className="ms-panel ms-scroll" tabIndex={0} role="group" aria-label={t("whatCan")}>
                <table className="ms-table ms-rights">
                  <thead>
                    <tr>
                      <th scope="col">{t("with")}</th>
                      <th scope="col">{t("can")}</th>
                      {alone ? null : <th scope="col">{t("because")}</th>}
                    </tr>
                  </thead>
                  {rights.length > 0 ? <tbody><Line name={t("ofPlatform")} kind={undefined} doings={rights} alone={alone} /></tbody> : null}
                  {kinds.map(({ kind, many, doings }) => (
                    <tbody key={kind}><Line name={say(many)} kind={known.value?.find((each) => each.kind === kind)} doings={doings} alone={alone} /></tbody>
                  ))}
                </table>
              </div>
            )}
          </div>
        );
      }}
    </PageState>
  );
}
