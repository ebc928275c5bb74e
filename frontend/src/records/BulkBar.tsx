import { useState } from "react";
import { App, Button, Dropdown, Modal, Select } from "antd";
import { api, ApiError } from "../api";
import { useFailed } from "../failed";
import type { Words } from "../types";
import { type Field, formFields, isEmpty, sent } from "./fields";
import { useLabelSizes } from "./labels";
import type { Kind, Row, Titles } from "./types";
import { nameOf, useTongue } from "./use-kind";
import { ValueControl } from "./ValueControl";

type Deed = { do: "change"; fields: Record<string, unknown> } | { do: "move"; move: string } | { do: "remove" };

function ChangeDialog({ fields, count, onClose, onApply }: { fields: readonly Field[]; count: number; onClose: () => void; onApply: (values: Record<string, unknown>) => void }) {
  const { t, say } = useTongue();
  const [name, setName] = useState<string | null>(null);
  const [value, setValue] = useState<unknown>(null);
  const field = fields.find((each) => each.name === name);
  const choose = (next: string) => {
    setName(next);
    setValue(null);
  };
  const missing = !field || (field.required && isEmpty(value) && field.control !== "yes");
  return (
    <Modal open title={t("changeFieldOf", { n: count })} okText={t("apply")} cancelText={t("cancel")} onCancel={onClose} onOk={() => field && onApply(sent([field], { [field.name]: value }))} okButtonProps={{ disabled: missing }}>
      <div className="ms-stack">
        <Select aria-label={t("field")} placeholder={t("field")} value={name} onChange={choose} showSearch={{ optionFilterProp: "label" }} options={fields.map((each) => ({ value: each.name, label: say(each.words) }))} />
        {field ? <ValueControl key={field.name} field={field} label={t("newValue")} value={value} onChange={setValue} /> : null}
      </div>
    </Modal>
  );
}

/** What can be done with the selected rows: to all of them or, once the refused ones were named, to the others. */
export function BulkBar({ kind, rows, titles, onClear, onDone }: { kind: Kind; rows: readonly Row[]; titles: Titles; onClear: () => void; onDone: () => void }) {
  const { t, say } = useTongue();
  const { modal, message } = App.useApp();
  const failed = useFailed();
  const labels = useLabelSizes(kind.kind);
  const [changing, setChanging] = useState(false);
  const [busy, setBusy] = useState(false);
  const refused = (deed: Deed, of: readonly Row[], faults: Readonly<Record<string, Words>>) => {
    const told = new Map(Object.entries(faults).map(([path, text]) => [Number(path.split(".")[0]), text]));
    const others = of.filter((_, index) => !told.has(index));
    const lines = [...told].map(([index, text]) => of[index] && <li key={index}><span className="ms-bold">{nameOf(kind, of[index], say, titles)}</span> {say(text)}</li>);
    const shown = { title: t("bulkRefused", { bad: told.size, n: of.length }), content: <ul className="ms-list ms-stack">{lines}</ul> };
    if (others.length === 0) void modal.warning({ ...shown, okText: t("close") });
    else void modal.confirm({ ...shown, okText: t("bulkOthers", { n: others.length }), cancelText: t("cancel"), onOk: () => run(deed, others) });
  };
  const run = async (deed: Deed, of: readonly Row[] = rows) => {
    setChanging(false);
    setBusy(true);
    try {
      await api.post(`/records/${kind.kind}/bulk`, { items: of.map(({ id, version }) => ({ id, version, ...deed })) });
      message.success(t("bulkDone", { n: of.length }), 6);
      onClear();
      onDone();
    } catch (error) {
      if (error instanceof ApiError && Object.keys(error.fields).some((path) => /^\d/.test(path))) refused(deed, of, error.fields);
      else failed(error);
    } finally {
      setBusy(false);
    }
  };
  const remove = () =>
    void modal.confirm({ title: t("removeManySure", { n: rows.length }), content: t("removeText"), okText: t("remove"), cancelText: t("cancel"), autoFocusButton: "cancel", onOk: () => run({ do: "remove" }) });
  const steps = kind.moves.filter(({ sources }) => rows.some(({ state }) => sources.includes(state)));
  // The fields of the key tell records apart: many can not have the same.
  const fields = formFields(kind).filter(({ name, holds }) => !kind.key.includes(name) && holds === "");
  return (
    <div className="ms-filters" role="toolbar" aria-label={t("selected", { n: rows.length })}>
      <span className="ms-bold ms-num" role="status">{t("selected", { n: rows.length })}</span>
      {kind.append_only ? null : <Button disabled={busy} onClick={() => setChanging(true)}>{t("changeField")}</Button>}
      {steps.length > 0 ? (
        <Dropdown trigger={["click"]} menu={{ items: steps.map(({ name, words }) => ({ key: name, label: say(words), onClick: () => void run({ do: "move", move: name }) })) }}>
          <Button disabled={busy} aria-haspopup="menu">{t("state")}</Button>
        </Dropdown>
      ) : null}
      <Dropdown trigger={["click"]} menu={{ items: labels(rows.map(({ id }) => id)) }}><Button aria-haspopup="menu">{t("printLabels")}</Button></Dropdown>
      {kind.append_only ? null : <Button disabled={busy} onClick={remove}>{t("remove")}</Button>}
      <Button type="text" disabled={busy} onClick={onClear}>{t("clearSelection")}</Button>
      {changing ? <ChangeDialog fields={fields} count={rows.length} onClose={() => setChanging(false)} onApply={(values) => void run({ do: "change", fields: values })} /> : null}
    </div>
  );
}
