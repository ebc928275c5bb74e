import { useState } from "react";
import { Input, Select } from "antd";
import { api } from "../api";
import { type Choice, FoundSelect, type PickProps } from "../components/FoundSelect";
import { TagPick } from "../components/TagPick";
import { AssetSelect } from "../connect/AssetSelect";
import { useResource } from "../resource";
import type { Asset, Page, User } from "../types";
import { useSay, useWords } from "../words";
import { recordWords } from "../words/records";
import type { Detail, RowPage } from "./types";
import { askKind, nameOf, useKinds } from "./use-kind";

const FOUND = 20;
const PEOPLE = 1000;

interface LinkFieldProps extends PickProps {
  target: string;
}

function AssetLink({ id, value, onChange }: PickProps) {
  const say = useSay();
  const known = useResource(value ?? null, (signal) => api.get<Asset>(`/assets/${value ?? ""}`, {}, signal), true);
  const asset = known.value;
  const shown = value ? { id: value, name: asset ? say(asset.name) : value, path: asset?.path ?? "" } : null;
  return <AssetSelect id={id} value={shown} onChange={(chosen) => onChange?.(chosen.id)} invalid={false} />;
}

function RecordLink({ target, ...pick }: LinkFieldProps) {
  const t = useWords(recordWords);
  const say = useSay();
  const find = async (search: string, signal: AbortSignal) => {
    const [kind, page] = await Promise.all([askKind(target), api.get<RowPage>(`/records/${target}`, { search, limit: FOUND }, signal)]);
    return page.items.map((row) => ({ value: row.id, label: nameOf(kind, row, say, page.titles) || row.id }));
  };
  const name = async (id: string, signal: AbortSignal) => {
    const [kind, row] = await Promise.all([askKind(target), api.get<Detail>(`/records/${target}/${id}`, {}, signal)]);
    return nameOf(kind, row, say, row.titles) || row.title;
  };
  return <FoundSelect {...pick} placeholder={t("searchRecord")} of={target} find={find} name={name} />;
}

const people = async (signal: AbortSignal): Promise<Choice[]> => {
  const { items } = await api.get<Page<User>>("/users", { limit: PEOPLE }, signal);
  return items.map((user) => ({ value: user.id, label: user.display_name || user.username }));
};

/** The tokens and services of the company. */
const services = async (signal: AbortSignal): Promise<Choice[]> => {
  const { items } = await api.get<{ items: { id: string; sort: string; name: string }[] }>("/access", {}, signal);
  return items.filter(({ sort }) => sort === "credential").map(({ id, name }) => ({ value: id, label: name }));
};

/** One of some things that are all asked for at once; who may not see them keeps the one that is chosen. */
function FewLink({ id, label, value, onChange, target, ask }: LinkFieldProps & { ask: (signal: AbortSignal) => Promise<Choice[]> }) {
  const known = useResource(target, ask);
  return <Select id={id} aria-label={label} className="ms-full" allowClear value={value ?? null} showSearch={{ optionFilterProp: "label" }} options={known.value ?? []} onChange={(chosen: string | undefined) => onChange?.(chosen ?? null)} />;
}

/** Another record, found on the server by what people call it. */
export function LinkField(props: LinkFieldProps) {
  const t = useWords(recordWords);
  const kinds = useKinds();
  const { target, ...pick } = props;
  if (target === "asset") return <AssetLink {...pick} />;
  if (target === "tag") return <TagPick {...pick} placeholder={t("searchTag")} />;
  if (target === "user") return <FewLink {...props} ask={people} />;
  if (target === "credential") return <FewLink {...props} ask={services} />;
  if (kinds.value?.some(({ kind }) => kind === target)) return <RecordLink {...props} />;
  return <Input id={pick.id} aria-label={pick.label} className="ms-code" value={pick.value ?? ""} onChange={(event) => pick.onChange?.(event.target.value || null)} />;
}

/** A record of whatever kind, as `kind:id`: first what kind, then which one. */
export function AnyField({ id, label, value, onChange }: PickProps) {
  const t = useWords(recordWords);
  const say = useSay();
  const kinds = useKinds();
  const [kind = "", record = ""] = (value ?? "").split(":");
  const [chosen, setChosen] = useState(kind);
  const target = kind || chosen;
  const options = [{ value: "asset", label: t("asset") }, { value: "tag", label: t("tag") }, ...(kinds.value ?? []).map((each) => ({ value: each.kind, label: say(each.many) }))];
  const change = (next: string | undefined) => {
    setChosen(next ?? "");
    onChange?.("");
  };
  return (
    <div className="ms-pair">
      <Select id={id} aria-label={label === undefined ? t("kind") : `${label}, ${t("kind")}`} allowClear value={target || null} placeholder={t("kind")} showSearch={{ optionFilterProp: "label" }} options={options} onChange={change} />
      {target === "" ? null : <LinkField key={target} label={label ?? t("records")} target={target} value={record || null} onChange={(next) => onChange?.(next ? `${target}:${next}` : "")} />}
    </div>
  );
}
