import { useState } from "react";
import { Link } from "react-router";
import { Button } from "antd";
import { api } from "../api";
import { Empty, Failure, PageState } from "../components/PageState";
import { formatCount } from "../format/number";
import { fieldsOf } from "../records/fields";
import { askKind, useKinds, useTongue } from "../records/use-kind";
import { valueText } from "../records/value-text";
import { useResource } from "../resource";
import { useZone } from "../session";
import { useSay, useWords } from "../words";
import { rightsWords } from "../words/rights";
import { type Received, useReceived } from "./shared";
import "./rights.css";

interface Figures {
  from: string;
  count: number;
  sums: Record<string, number | null>;
}

/** How many there are, and the sums of their numbers: all that some grants show. */
function Counted({ grant }: { grant: Received }) {
  const t = useWords(rightsWords);
  const tongue = useTongue();
  const figures = useResource(`${grant.from} ${grant.kind}`, async (signal) => {
    const kind = await askKind(grant.kind);
    const fields = fieldsOf(kind).filter(({ control }) => control === "exact" || control === "whole");
    const { items } = await api.get<{ items: Figures[] }>(`/grants/figures/${grant.kind}`, { sums: fields.map(({ name }) => name).join() }, signal);
    return { fields, found: items.find(({ from }) => from === grant.from) };
  });
  if (!figures.value) return figures.error ? <Failure error={figures.error} onRetry={figures.reload} /> : null;
  const { fields, found } = figures.value;
  const sums = fields.filter(({ name }) => found?.sums[name] !== null && found?.sums[name] !== undefined);
  return (
    <dl className="ms-facts ms-rights-line">
      <dt>{t("rows")}</dt>
      <dd className="ms-num">{formatCount(found?.count ?? 0)}</dd>
      {sums.map((field) => [<dt key={field.name}>{t("sumOf", { field: tongue.say(field.words) })}</dt>, <dd key={`${field.name} sum`} className="ms-num">{valueText(field, found?.sums[field.name], {}, tongue)}</dd>])}
    </dl>
  );
}

function Line({ grant, name }: { grant: Received; name: string }) {
  const t = useWords(rightsWords);
  const say = useSay();
  const zone = useZone();
  const [open, setOpen] = useState(false);
  const may = [t(grant.shows === "figures" ? "onlyFigures" : "do_view"), grant.may_export ? t("do_export") : "", grant.may_comment ? t("do_comment") : ""].filter(Boolean);
  return (
    <li>
      <div className="ms-row ms-rights-line">
        <span className="ms-grow">
          <span className="ms-bold">{name}</span> {t("ofCompany", { company: say(grant.name) || grant.from })}
          <br />
          <span className="ms-second">{grant.purpose}</span>
          <br />
          <span className="ms-third ms-caption ms-num">
            {may.join(t("between"))} · {t("until", { time: zone.full(grant.until_ms).slice(0, 16) })}
          </span>
        </span>
        {grant.shows === "figures" ? (
          <Button size="small" aria-expanded={open} onClick={() => setOpen(!open)}>{t("showFigures")}</Button>
        ) : (
          <Link to={`/records/${grant.kind}?from=${grant.from}`}>{t("openList")}</Link>
        )}
      </div>
      {open ? <Counted grant={grant} /> : null}
    </li>
  );
}

/** What other companies show to this one. */
export default function SharedPage() {
  const t = useWords(rightsWords);
  const say = useSay();
  const received = useReceived();
  const kinds = useKinds();
  return (
    <div className="ms-page">
      <nav className="ms-crumbs"><Link to="/apps">{t("apps")}</Link></nav>
      <h1>{t("sharedTitle")}</h1>
      <PageState state={received} rows={4}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t("noneShared")} text={t("noneSharedText")} />
          ) : (
            <ul className="ms-panel ms-list">{items.map((grant, index) => <Line key={index} grant={grant} name={say(kinds.value?.find(({ kind }) => kind === grant.kind)?.many ?? grant.kind)} />)}</ul>
          )
        }
      </PageState>
    </div>
  );
}
