import { Alert, Checkbox, Form, Input } from "antd";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { choiceText } from "./SchemaForm";
import { differences, type Field } from "./schema";
import { filled, namingOf, type TagsDraft } from "./tags-draft";
import { placed } from "./rows";
import type { Connection, Driver, Settings } from "./types";

interface SaveStepProps {
  driver: Driver;
  fields: readonly Field[];
  stored: Connection | null;
  settings: Settings;
  name: string;
  enabled: boolean;
  gateway: string;
  address: string;
  tags: TagsDraft;
  nameFault: string;
  onName: (name: string) => void;
  onEnabled: (enabled: boolean) => void;
}

function useValueText(): (field: Field, value: unknown) => string {
  const t = useWords(connectWords);
  return (field, value) => {
    if (field.kind === "secret") return "••••";
    if (value === undefined || value === null || value === "") return "–";
    if (field.kind === "yes-no") return t(value === true ? "yes" : "no");
    if (Array.isArray(value)) return value.join(", ") || "–";
    return field.kind === "choice" ? choiceText(String(value), t) : `${String(value)}${field.unit ? ` ${field.unit}` : ""}`;
  };
}

function Changes({ fields, stored, settings, name, gateway, enabled }: SaveStepProps & { stored: Connection }) {
  const t = useWords(connectWords);
  const say = useSay();
  const text = useValueText();
  const changed = differences(fields, stored.settings, settings);
  const own: [string, string, string][] = [
    [t("connectionName"), stored.name, name.trim()],
    [t("gateway"), stored.gateway, gateway],
    [t("enabledLabel"), t(stored.enabled ? "yes" : "no"), t(enabled ? "yes" : "no")],
  ];
  const turned = own.filter(([, before, after]) => before !== after);
  if (changed.length + turned.length === 0) return <p className="ms-second">{t("noChanges")}</p>;
  return (
    <>
      <div className="ms-scroll">
        <table className="ms-table">
          <thead>
            <tr>
              <th scope="col">{t("changesTitle")}</th>
              <th scope="col">{t("before")}</th>
              <th scope="col">{t("after")}</th>
            </tr>
          </thead>
          <tbody>
            {turned.map(([title, before, after]) => (
              <tr key={title}>
                <td>{title}</td>
                <td className="ms-second">{before}</td>
                <td className="ms-bold">{after}</td>
              </tr>
            ))}
            {changed.map(({ field, before, after }) => (
              <tr key={field.key}>
                <td>{say(field.title)}</td>
                <td className="ms-second">{text(field, before)}</td>
                <td className="ms-bold">{field.kind === "secret" ? t("hiddenSecret") : text(field, after)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {stored.enabled && enabled && (changed.length > 0 || gateway !== stored.gateway) ? <Alert type="info" title={t("reconnectNote")} /> : null}
    </>
  );
}

/** The name, and what saving will do. */
export function SaveStep(props: SaveStepProps) {
  const t = useWords(connectWords);
  const say = useSay();
  const { driver, stored, tags, name, nameFault } = props;
  const count = filled(tags.rows).length;
  const assets = new Set(filled(tags.rows).map((row) => placed(row, namingOf(tags)).asset));
  const places = assets.size <= 1 ? (tags.asset?.name ?? [...assets][0] ?? "?") : t("assetsCount", { n: assets.size });
  return (
    <div className="ms-stack">
      <Form.Item className="ms-narrow-column" layout="vertical" label={t("connectionName")} htmlFor="connection-name" required {...(nameFault && { validateStatus: "error" as const, help: nameFault })}>
        <Input id="connection-name" value={name} maxLength={200} autoComplete="off" onChange={(event) => props.onName(event.target.value)} />
      </Form.Item>
      <Checkbox checked={props.enabled} onChange={(event) => props.onEnabled(event.target.checked)}>
        {t("enabledLabel")}
      </Checkbox>
      <dl className="ms-facts">
        <dt>{t("protocol")}</dt>
        <dd>{say(driver.title)}</dd>
        <dt>{t("address")}</dt>
        <dd className="ms-code">{props.address}</dd>
        <dt>{t("gateway")}</dt>
        <dd>{props.gateway}</dd>
        <dt>{t("stepTags")}</dt>
        <dd>{count > 0 ? t("tagsToAdd", { n: count, asset: places }) : t("noRows")}</dd>
      </dl>
      {stored ? <Changes {...props} stored={stored} /> : null}
    </div>
  );
}
