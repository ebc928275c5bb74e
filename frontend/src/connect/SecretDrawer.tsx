import { App, Button, Drawer } from "antd";
import { useWords } from "../words";
import { useGateways } from "./use-connections";
import { deviceWords } from "../words/devices";

export interface Issued {
  name: string;
  gateway: string;
  publish: string[];
  secret: string;
}

/** A password shown this once, with what the device needs to use it. */
export function SecretDrawer({ issued, onClose }: { issued: Issued; onClose: () => void }) {
  const t = useWords(deviceWords);
  const { message } = App.useApp();
  const topic = (issued.publish[0] ?? "").replace("/#", "/values").replaceAll("+", "x");
  const gateways = useGateways();
  const listener = gateways.value?.find(({ name }) => name === issued.gateway)?.listener ?? "";
  const found = /^(mqtts?):\/\/(.+):(\d+)$/.exec(listener);
  const port = found?.[3] ?? "1883";
  const secure = found?.[1] === "mqtts";
  // A listener on loopback or on all addresses says nothing about the name devices use.
  const host = found?.[2] && !["127.0.0.1", "0.0.0.0", "::"].includes(found[2]) ? found[2] : location.hostname;
  const snippet = `mosquitto_pub -h ${host} -p ${port} -q 1${secure ? " --cafile ca.pem" : ""} \\\n  -u '${issued.name}' -P '${issued.secret}' \\\n  -t '${topic}' -m '{"temperature": 21.5}'`;
  const copy = (text: string) => void navigator.clipboard?.writeText(text).then(() => message.success(t("copied")));
  const facts: [string, string][] = [
    [t("host"), host],
    [t("port"), found ? port : `1883 (${t("portHint", { gateway: issued.gateway })})`],
    [t("user"), issued.name],
    [t("password"), issued.secret],
    [t("topic"), topic],
  ];
  return (
    <Drawer open title={t("secretOnce", { name: issued.name })} size={560} onClose={onClose} mask={{ closable: false }}>
      <div className="ms-stack">
        <p className="ms-row">
          <code className="ms-code ms-secret">{issued.secret}</code>
          <Button type="primary" onClick={() => copy(issued.secret)}>
            {t("copy")}
          </Button>
        </p>
        <h2>{t("ready")}</h2>
        <dl className="ms-facts">
          {facts.map(([name, value]) => (
            <div key={name} className="ms-fact">
              <dt>{name}</dt>
              <dd className="ms-code">{value}</dd>
            </div>
          ))}
        </dl>
        <pre className="ms-code ms-snippet">{snippet}</pre>
        <div className="ms-actions">
          <Button onClick={() => copy(snippet)}>{t("copy")}</Button>
        </div>
      </div>
    </Drawer>
  );
}
