import { useState } from "react";
import { useSearchParams } from "react-router";
import { Button, Segmented, Select } from "antd";
import { api } from "../api";
import { Empty } from "../components/PageState";
import { AssetSelect, type ChosenAsset } from "../connect/AssetSelect";
import { LinkField } from "../records/LinkField";
import type { RowPage } from "../records/types";
import { useResource } from "../resource";
import { ROLES, type Words } from "../types";
import { useSay, useWords } from "../words";
import { rightsWords } from "../words/rights";
import { useRoleWord } from "./Because";
import { PersonCan } from "./PersonCan";
import { beginPreview } from "./preview";
import { WhoCanAt } from "./WhoCanAt";

const WAYS = ["what", "person", "preview"] as const;
type Way = (typeof WAYS)[number];
const ROLES_MAX = 200;

/** Part of the plant, or all of it. */
function Place({ place, onChange }: { place: ChosenAsset | null; onChange: (place: ChosenAsset | null) => void }) {
  const t = useWords(rightsWords);
  return (
    <>
      <AssetSelect value={place} onChange={onChange} invalid={false} />
      {place ? <Button onClick={() => onChange(null)}>{t("wholePlant")}</Button> : <span className="ms-third">{t("wholePlantNow")}</span>}
    </>
  );
}

function ByKind() {
  const [place, setPlace] = useState<ChosenAsset | null>(null);
  return <WhoCanAt asset={place?.id ?? ""}><Place place={place} onChange={setPlace} /></WhoCanAt>;
}

function ByPerson() {
  const t = useWords(rightsWords);
  const [params, setParams] = useSearchParams();
  const id = params.get("person");
  const choose = (person: string | null) => setParams({ by: "person", ...(person && { person }) }, { replace: true });
  return (
    <>
      <div className="ms-rights-kind"><LinkField label={t("person")} target="user" value={id} onChange={choose} /></div>
      {id ? <PersonCan id={id} /> : <Empty title={t("choosePerson")} text={t("choosePersonText")} />}
    </>
  );
}

/** The page as someone with a role finds it, before the role is given to anybody. */
function AsRole() {
  const t = useWords(rightsWords);
  const say = useSay();
  const roleWord = useRoleWord();
  const [role, setRole] = useState<string | null>(null);
  const [place, setPlace] = useState<ChosenAsset | null>(null);
  const own = useResource("roles", (signal) => api.get<RowPage>("/records/role", { limit: ROLES_MAX }, signal));
  const options = [
    { label: t("builtIn"), options: ROLES.map((name) => ({ value: name as string, label: roleWord(name) })) },
    { label: t("ownRoles"), options: (own.value?.items ?? []).map((row) => ({ value: String(row.code), label: `${say(row.name as Words)} (${String(row.code)})` })) },
  ];
  const name = options.flatMap((group) => group.options).find(({ value }) => value === role)?.label ?? "";
  return (
    <div className="ms-panel ms-panel-body ms-stack">
      <p className="ms-second">{t("previewWhat")}</p>
      <div className="ms-filters">
        <Select aria-label={t("role")} placeholder={t("role")} className="ms-rights-kind" value={role} onChange={setRole} showSearch={{ optionFilterProp: "label" }} options={options} />
        <Place place={place} onChange={setPlace} />
        <Button type="primary" disabled={role === null} onClick={() => role !== null && beginPreview({ role, name, place: place?.id ?? "", placeName: place?.name ?? "" })}>{t("look")}</Button>
      </div>
    </div>
  );
}

/** Who can do what, and why: asked by kind and place, by person, or seen with one's own eyes. */
export function AccessTab() {
  const t = useWords(rightsWords);
  const [params, setParams] = useSearchParams();
  const way = WAYS.find((each) => each === params.get("by")) ?? "what";
  return (
    <div className="ms-stack">
      <span><Segmented<Way> value={way} onChange={(by) => setParams({ by }, { replace: true })} options={WAYS.map((each) => ({ value: each, label: t(`by_${each}`) }))} aria-label={t("access")} /></span>
      {way === "what" ? <ByKind /> : way === "person" ? <ByPerson /> : <AsRole />}
    </div>
  );
}
