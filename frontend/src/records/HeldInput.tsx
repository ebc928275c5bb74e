import { Form, Select } from "antd";
import { Loading } from "../components/PageState";
import { type Field, listFields } from "./fields";
import { FilterField } from "./FilterField";
import { whereOf, whereText } from "./query";
import { givesRights, useKind, useTongue } from "./use-kind";
import { GROUPS, heldText } from "./value-text";

interface HeldProps {
  id: string | undefined;
  label: string | undefined;
  value: unknown;
  onChange: (value: unknown) => void;
  field: Field;
}

/** Conditions on records of the kind that another field of the form names. */
function Conditions({ of, value, onChange }: { of: string; value: unknown; onChange: (value: unknown) => void }) {
  const { t } = useTongue();
  const subject = Form.useWatch<string | null | undefined>(of, Form.useFormInstance());
  const { value: kind } = useKind(subject || null);
  if (!subject) return <p className="ms-third">{t("kindFirst")}</p>;
  if (!kind) return <Loading rows={1} />;
  return <div className="ms-row ms-wrap"><FilterField fields={listFields(kind)} where={whereOf(String(value ?? ""))} titles={{}} onChange={(where) => onChange(whereText(where))} /></div>;
}

/** Kinds of records, groups of them, or steps, chosen by their words. */
export function HeldInput({ id, label, value, onChange, field }: HeldProps) {
  const tongue = useTongue();
  const { t, kinds } = tongue;
  const [what = "", of = ""] = field.holds.split(" ");
  if (what === "conditions") return <Conditions of={of} value={value} onChange={onChange} />;
  const option = (name: string) => ({ value: name, label: heldText(what, name, tongue) });
  const named = kinds.filter(({ kind }) => !givesRights(kind)).map(({ kind }) => option(kind));
  const steps = [...new Set(kinds.flatMap(({ moves }) => moves.map(({ name }) => name)))];
  const given = { id, "aria-label": label, className: what === "kinds" ? "ms-full ms-several" : "ms-full", showSearch: { optionFilterProp: "label" } };
  if (what === "kind") return <Select {...given} value={(value as string | null) || null} options={named} onChange={onChange} />;
  const options = what === "moves" ? [option("*"), ...steps.map(option)] : [option("*"), ...GROUPS.map((group) => option(`group:${group}`)), ...named];
  return <Select {...given} mode="multiple" placeholder={what === "moves" ? t("noStep") : t("chooseKinds")} value={(value as string[] | null) ?? []} options={options} onChange={onChange} />;
}
