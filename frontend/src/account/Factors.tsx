import { useState } from "react";
import { Alert, App, Button, Checkbox, Form, Input, Modal, Popconfirm, Typography } from "antd";
import { api } from "../api";
import { PageState } from "../components/PageState";
import { useFailed } from "../failed";
import type { Zone } from "../format/time";
import { useResource } from "../resource";
import { useSending, told } from "../shell/sending";
import { useSay, useWords } from "../words";
import { accountWords } from "../words/account";
import { Unconfirmed, useConfirmed, type Way } from "./confirm";
import { makePasskey, NoPasskey, passkeysPossible } from "./passkey";

interface Factor {
  id: string;
  name: string;
  created_ms: number;
  used_ms: number | null;
  /** A passkey that signs in without a password. */
  alone: boolean;
}
interface Own {
  totp: Factor | null;
  passkeys: Factor[];
  recovery_codes_left: number;
  required: boolean;
}
interface Secret {
  secret: string;
  url: string;
  qr_path: string;
  qr_size: number;
}
interface Codes {
  recovery_codes: string[];
}

/** Scan, type the code, done. */
function AppForm({ secret, onAdded }: { secret: Secret; onAdded: (made: Codes) => void }) {
  const t = useWords(accountWords);
  const say = useSay();
  const { busy, error, fields, wrong, run } = useSending();
  const add = ({ code }: { code: string }) => run(async () => onAdded(await api.post<Codes>("/session/second-factor/totp", { code })));
  const failed = told(error);
  return (
    <Form layout="vertical" requiredMark={false} onFinish={add} className="ms-stack">
      <p className="ms-second">{t("appSteps")}</p>
      <svg className="ms-qr" viewBox={`0 0 ${secret.qr_size} ${secret.qr_size}`} role="img" aria-label={t("qr")}>
        <path d={secret.qr_path} />
      </svg>
      <div>
        <span className="ms-third ms-caption">{t("secret")}</span>
        <br />
        <Typography.Text copyable className="ms-code">
          {secret.secret}
        </Typography.Text>
      </div>
      {failed && !fields.code ? <Alert type="error" title={say(failed)} role="alert" /> : null}
      <Form.Item
        name="code"
        label={t("codeShown")}
        rules={[{ required: true, message: t("required") }]}
        {...wrong("code")}
      >
        <Input autoComplete="one-time-code" inputMode="numeric" maxLength={12} autoFocus />
      </Form.Item>
      <Button type="primary" htmlType="submit" block loading={busy}>
        {t("setUp")}
      </Button>
    </Form>
  );
}

function PasskeyForm({ onAdd }: { onAdd: (name: string, alone: boolean) => Promise<void> }) {
  const t = useWords(accountWords);
  const [busy, setBusy] = useState(false);
  const add = ({ name, alone }: { name: string; alone: boolean }) => {
    setBusy(true);
    void onAdd(name.trim(), alone).finally(() => setBusy(false));
  };
  return (
    <Form layout="vertical" requiredMark={false} onFinish={add} initialValues={{ alone: true }}>
      <Form.Item name="name" label={t("passkeyName")} rules={[{ required: true, whitespace: true, message: t("required") }]}>
        <Input maxLength={80} placeholder={t("passkeyNameExample")} autoFocus />
      </Form.Item>
      <Form.Item name="alone" valuePropName="checked" extra={t("passkeyAloneWhy")}>
        <Checkbox>{t("passkeyAlone")}</Checkbox>
      </Form.Item>
      <Button type="primary" htmlType="submit" block loading={busy}>
        {t("passkeyAdd")}
      </Button>
    </Form>
  );
}

/** Shown this once, until the person says that they are kept. */
function CodesDialog({ codes, onKept }: { codes: string[]; onKept: () => void }) {
  const t = useWords(accountWords);
  return (
    <Modal
      open={codes.length > 0}
      title={t("recovery")}
      closable={false}
      mask={{ closable: false }}
      footer={
        <Button type="primary" onClick={onKept}>
          {t("kept")}
        </Button>
      }
    >
      <Alert type="info" title={t("recoveryOnce")} className="ms-gap-bottom" />
      <Typography.Paragraph copyable={{ text: codes.join("\n") }} className="ms-code ms-recovery">
        {codes.join("\n")}
      </Typography.Paragraph>
    </Modal>
  );
}

function Part({ title, text, children }: { title: string; text: string; children: React.ReactNode }) {
  return (
    <section className="ms-panel ms-account-part">
      <h3>{title}</h3>
      <p className="ms-second">{text}</p>
      {children}
    </section>
  );
}

function Passkeys({ own, date, onAdd, onRemove }: { own: Factor[]; date: (ms: number | null) => string; onAdd: () => void; onRemove: (id: string) => void }) {
  const t = useWords(accountWords);
  return (
    <Part title={t("passkeys")} text={t("passkeysText")}>
      {own.length === 0 && passkeysPossible() ? <p className="ms-third">{t("passkeyNone")}</p> : null}
      <ul className="ms-list">
        {own.map((each) => (
          <li key={each.id} className="ms-row ms-pad">
            <span className="ms-grow">
              <span className="ms-bold">{each.name}</span> <span className="ms-second">{each.alone ? t("passkeyByItself") : ""}</span>
              <br />
              <span className="ms-third ms-caption ms-num">{t("appSince", { date: date(each.created_ms), used: date(each.used_ms) })}</span>
            </span>
            <Popconfirm title={t("factorRemoveSure")} okText={t("remove")} cancelText={t("cancel")} destroyOnHidden onConfirm={() => onRemove(each.id)}>
              <Button size="small" aria-label={t("passkeyRemove", { name: each.name })}>
                {t("remove")}
              </Button>
            </Popconfirm>
          </li>
        ))}
      </ul>
      {passkeysPossible() ? <Button onClick={onAdd}>{t("passkeyAdd")}</Button> : <p className="ms-third">{t("passkeyImpossible")}</p>}
    </Part>
  );
}

/** The person's second factors; `onAdded` once there is one and its recovery codes are kept. */
export function Factors({ zone, onAdded }: { zone: Zone; onAdded?: () => void }) {
  const t = useWords(accountWords);
  const { message, notification } = App.useApp();
  const failed = useFailed();
  const own = useResource("second-factor", (signal) => api.get<Own>("/session/second-factor", {}, signal));
  const [secret, setSecret] = useState<Secret | null>(null);
  const [naming, setNaming] = useState(false);
  const [codes, setCodes] = useState<string[]>([]);
  const ways: Way[] = ["password", ...(own.value?.totp ? (["code"] as const) : []), ...(own.value?.passkeys.length ? (["passkey"] as const) : [])];
  const { run, dialog } = useConfirmed(ways);
  const does = (work: () => Promise<void>) =>
    run(work)
      .catch((error: unknown) => {
        if (error instanceof NoPasskey) notification.error({ key: "passkey", title: t("passkeyFailed"), placement: "bottomLeft" });
        else if (!(error instanceof Unconfirmed)) failed(error);
      })
      .finally(own.reload);
  const added = (made: Codes, what: string) => {
    setSecret(null);
    setNaming(false);
    message.success(what);
    own.reload();
    if (made.recovery_codes.length > 0) setCodes(made.recovery_codes);
    else onAdded?.();
  };
  const addPasskey = (name: string, alone: boolean) =>
    does(async () => {
      const options = await api.post<Parameters<typeof makePasskey>[0]>(`/session/second-factor/passkeys/begin?alone=${alone}`);
      added(await api.post<Codes>("/session/second-factor/passkeys", { name, passkey: await makePasskey(options) }), t("passkeyAdded"));
    });
  const remove = (path: string) => void does(() => api.delete(path).then(() => void message.success(t("factorRemoved"))));
  const date = (ms: number | null) => (ms === null ? t("never") : zone.full(ms).slice(0, 16));
  return (
    <PageState state={own} rows={4}>
      {({ totp, passkeys, recovery_codes_left }) => (
        <div className="ms-stack">
          <Part title={t("app")} text={t("appText")}>
            {totp ? (
              <div className="ms-row ms-wrap">
                <span className="ms-grow ms-num">{t("appSince", { date: date(totp.created_ms), used: date(totp.used_ms) })}</span>
                <Popconfirm title={t("factorRemoveSure")} okText={t("remove")} cancelText={t("cancel")} destroyOnHidden onConfirm={() => remove("/session/second-factor/totp")}>
                  <Button size="small">{t("remove")}</Button>
                </Popconfirm>
              </div>
            ) : (
              <Button type="primary" onClick={() => void does(async () => setSecret(await api.post<Secret>("/session/second-factor/totp/begin")))}>
                {t("setUp")}
              </Button>
            )}
          </Part>
          <Passkeys own={passkeys} date={date} onAdd={() => setNaming(true)} onRemove={(id) => remove(`/session/second-factor/passkeys/${id}`)} />
          {totp || passkeys.length > 0 ? (
            <Part title={t("recovery")} text={t("recoveryText")}>
              <div className="ms-row ms-wrap">
                <span className="ms-grow">{t("recoveryLeft", { n: recovery_codes_left })}</span>
                <Popconfirm
                  title={t("recoverySure")}
                  okText={t("recoveryRenew")}
                  cancelText={t("cancel")}
                  destroyOnHidden
                  onConfirm={() => void does(async () => setCodes((await api.post<Codes>("/session/second-factor/recovery-codes")).recovery_codes))}
                >
                  <Button size="small">{t("recoveryRenew")}</Button>
                </Popconfirm>
              </div>
            </Part>
          ) : null}
          <Modal open={secret !== null} title={t("app")} footer={null} width={400} destroyOnHidden onCancel={() => setSecret(null)}>
            {secret ? <AppForm secret={secret} onAdded={(made) => added(made, t("appAdded"))} /> : null}
          </Modal>
          <Modal open={naming} title={t("passkeyAdd")} footer={null} width={400} destroyOnHidden onCancel={() => setNaming(false)}>
            <PasskeyForm onAdd={addPasskey} />
          </Modal>
          <CodesDialog
            codes={codes}
            onKept={() => {
              setCodes([]);
              onAdded?.();
            }}
          />
          {dialog}
        </div>
      )}
    </PageState>
  );
}
