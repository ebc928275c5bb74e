import { useState } from "react";
import { App, Button, Checkbox, Drawer, Form, Input, Select } from "antd";
import { api, ApiError, download } from "../api";
import { useAskFirst } from "../components/ask-first";
import { useSay, useWords } from "../words";
import { deviceWords } from "../words/devices";
import type { Issued } from "./SecretDrawer";
import { useGateways } from "./use-connections";

interface Entered {
  name?: string;
  names?: string;
  gateway: string;
  publish: string;
  subscribe: string;
  certificate?: string;
  /** Its certificate is all it signs in with. */
  certificateAlone?: boolean;
}

const SHA256 = /^[0-9a-f]{64}$/;
/** A fingerprint as tools print it, `SHA256 Fingerprint=AB:CD…`, as plain digits. */
export const fingerprint = (text: string | undefined): string => (text ?? "").replace(/^.*=/s, "").replace(/[\s:]/g, "").toLowerCase();

const lines = (text: string | undefined): string[] => (text ?? "").split("\n").map((line) => line.trim()).filter((line) => line !== "");

/** A device, or many with the same rights: the passwords of many come as a file, once. */
export function IssueDrawer({ many, onClose, onIssued }: { many: boolean; onClose: () => void; onIssued: (issued: Issued | null) => void }) {
  const t = useWords(deviceWords);
  const say = useSay();
  const { message } = App.useApp();
  const gateways = useGateways();
  const [form] = Form.useForm<Entered>();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const { setChanged, leave } = useAskFirst(onClose);
  const certificate = Form.useWatch("certificate", form) ?? "";
  const issue = async ({ name, names, gateway, publish, subscribe, certificate: given, certificateAlone }: Entered) => {
    setBusy(true);
    setProblem("");
    const rights = { gateway, publish: lines(publish), subscribe: lines(subscribe) };
    try {
      if (many) {
        const body = { ...rights, names: lines(names) };
        await download("POST", "/devices/bulk", { body, query: { format: "csv" } }, "devices.csv");
        message.success(t("manyDone", { n: body.names.length }), 8);
        onIssued(null);
      } else {
        const filled = rights.publish.map((topic) => topic.replaceAll("{name}", name ?? ""));
        const read = rights.subscribe.map((topic) => topic.replaceAll("{name}", name ?? ""));
        const proof = { certificate: fingerprint(given), password: !(certificateAlone && given) };
        const made = await api.post<Issued>("/devices", { ...rights, ...proof, name, publish: filled, subscribe: read });
        if (proof.password) onIssued(made);
        else {
          message.success(t("certificateDone", { name: made.name }), 8);
          onIssued(null);
        }
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem([say(error.text), ...Object.entries(error.fields).map(([path, text]) => `${path}: ${say(text)}`)].join("\n"));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Drawer open title={t(many ? "issueMany" : "issue")} size={480} onClose={leave}>
      <Form onValuesChange={() => setChanged(true)} form={form} layout="vertical" initialValues={{ gateway: "main", publish: "plant/{name}/#" }} onFinish={(entered) => void issue(entered)}>
        {many ? (
          <Form.Item name="names" label={t("names")} rules={[{ required: true, message: t("required") }]}>
            <Input.TextArea rows={8} className="ms-code" />
          </Form.Item>
        ) : (
          <Form.Item name="name" label={t("name")} rules={[{ required: true, message: t("required") }]}>
            <Input autoComplete="off" maxLength={120} />
          </Form.Item>
        )}
        <Form.Item name="gateway" label={t("gateway")}>
          <Select options={(gateways.value ?? []).map(({ name }) => ({ value: name, label: name }))} />
        </Form.Item>
        <Form.Item name="publish" label={t("publish")} extra={t("topicsHint")}>
          <Input.TextArea rows={2} className="ms-code" />
        </Form.Item>
        <Form.Item name="subscribe" label={t("subscribe")}>
          <Input.TextArea rows={2} className="ms-code" />
        </Form.Item>
        {many ? null : (
          <>
            <Form.Item
              name="certificate"
              label={t("certificate")}
              extra={t("certificateHint")}
              rules={[{ validator: (_, text: string) => (!text || SHA256.test(fingerprint(text)) ? Promise.resolve() : Promise.reject(new Error(t("certificateWrong")))) }]}
            >
              <Input className="ms-code" autoComplete="off" spellCheck={false} />
            </Form.Item>
            <Form.Item name="certificateAlone" valuePropName="checked">
              <Checkbox disabled={certificate.trim() === ""}>{t("certificateAlone")}</Checkbox>
            </Form.Item>
          </>
        )}
        {problem ? <p className="ms-fault ms-pre" role="alert">{problem}</p> : null}
        <Button type="primary" htmlType="submit" loading={busy}>
          {t(many ? "issueMany" : "issue")}
        </Button>
      </Form>
    </Drawer>
  );
}
