import { Link } from "react-router";
import { Button } from "antd";
import { api } from "../api";
import { formatCount } from "../format/number";
import { type Field, fieldsOf } from "./fields";
import { conditionText, whereText } from "./query";
import type { Kind, RowPage } from "./types";
import { askKind, homeOf, useTongue } from "./use-kind";

/** Records of a kind that a field of theirs links to another. */
export interface Linked {
  kind: Kind;
  field: Field;
  page: RowPage;
}

export type OnNew = (kind: Kind, start: Record<string, unknown>) => void;

/** What links to a record, by kind and field: its parts, or all others. Kinds the reader may not see are left out. */
export async function linkedTo(target: Kind, id: string, parts: boolean, limit: number, signal: AbortSignal): Promise<Linked[]> {
  const asked = target.linked_by.filter(({ part }) => part === parts).map(async ({ kind: name, field }) => {
    const where = whereText([{ field, compare: "eq", value: id }]);
    const [kind, page] = await Promise.all([askKind(name), api.get<RowPage>(`/records/${name}`, { where, limit }, signal)]);
    return fieldsOf(kind).filter((each) => each.name === field).map((each) => ({ kind, field: each, page }));
  });
  return (await Promise.allSettled(asked)).flatMap((each) => (each.status === "fulfilled" ? each.value : []));
}

/** What they are, how many there are, and how to add one; `about` says what the link means. */
export function LinkedHead({ linked: { kind, field, page }, id, about = "", onNew }: { linked: Linked; id: string; about?: string; onNew: OnNew | null }) {
  const { t, say } = useTongue();
  return (
    <h2 className="ms-row ms-wrap">
      <Link to={`${homeOf(kind.kind)}?where=${encodeURIComponent(conditionText({ field: field.name, compare: "eq", value: id }))}`}>{say(kind.many)}</Link>
      <span className="ms-third ms-num">{formatCount(page.total)}</span>
      <span className="ms-third ms-caption ms-grow">{about}</span>
      {onNew ? <Button size="small" aria-label={t("newOne", { one: say(kind.one) })} onClick={() => onNew(kind, { [field.name]: id })}>{t("create")}</Button> : null}
    </h2>
  );
}
