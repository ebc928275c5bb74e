import { type ReactNode, useState } from "react";
import { Alert, Button, Form, Input } from "antd";
import { api, ApiError } from "../api";
import { usePreferences } from "../preferences";
import type { Person, Site, Words } from "../types";
import { useSay, useWords } from "../words";
import { shellWords } from "../words/shell";
import { LanguageButton, ThemeButton } from "./Buttons";
import "./shell.css";

const PASSWORD_MIN = 10;

function useSending(): { busy: boolean; error: Words | null; fields: Record<string, Words>; run: (work: () => Promise<void>) => void } {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<ApiError | null>(null);
  const run = (work: () => Promise<void>) => {
    setBusy(true);
    setFailure(null);
    work()
      .catch((error: unknown) => {
        if (!(error instanceof ApiError)) throw error;
        setFailure(error);
      })
      .finally(() => setBusy(false));
  };
  return { busy, error: failure?.text ?? null, fields: failure?.fields ?? {}, run };
}

/** The company in the page's address, `?tenant=north`, stands in the form already. */
const companyOfAddress = () => new URLSearchParams(window.location.search).get("tenant") ?? "";

interface SignInValues {
  company?: string;
  username: string;
  password: string;
}

export function SignInForm({ username = "", several = false, onSignedIn }: {
  username?: string;
  several?: boolean;
  onSignedIn: (person: Person) => void;
}) {
  const t = useWords(shellWords);
  const say = useSay();
  const { busy, error, run } = useSending();
  const submit = ({ company, username: name, password }: SignInValues) =>
    run(async () => {
      const full = company ? `${company.trim()}/${name}` : name;
      onSignedIn((await api.post<{ user: Person }>("/session", { username: full, password })).user);
    });
  const company = several ? companyOfAddress() : "";
  return (
    <Form layout="vertical" requiredMark={false} initialValues={{ username, company }} onFinish={submit} className="ms-gap-top">
      {error ? <Alert type="error" title={say(error)} role="alert" className="ms-gap-bottom" /> : null}
      {several ? (
        <Form.Item name="company" label={t("company")} extra={t("companyText")}>
          <Input autoComplete="organization" autoCapitalize="none" spellCheck={false} />
        </Form.Item>
      ) : null}
      <Form.Item name="username" label={t("user")} rules={[{ required: true, message: t("required") }]}>
        <Input autoComplete="username" autoFocus={username === ""} autoCapitalize="none" spellCheck={false} />
      </Form.Item>
      <Form.Item name="password" label={t("password")} rules={[{ required: true, message: t("required") }]}>
        <Input.Password autoComplete="current-password" autoFocus={username !== ""} />
      </Form.Item>
      <Button type="primary" htmlType="submit" block loading={busy}>
        {t("signIn")}
      </Button>
    </Form>
  );
}

function Card({ site, title, children }: { site: Site; title?: string; children: ReactNode }) {
  const t = useWords(shellWords);
  const say = useSay();
  return (
    <main className="ms-signin">
      <div className="ms-row ms-signin-top">
        <LanguageButton />
        <ThemeButton />
      </div>
      <section className="ms-panel ms-signin-card">
        <p className="ms-third">{t("product")}</p>
        <h1>{title ?? say(site.name)}</h1>
        {title ? <p className="ms-second">{say(site.name)}</p> : null}
        {children}
      </section>
    </main>
  );
}

export function SignInPage({ site, onSignedIn }: { site: Site; onSignedIn: (person: Person) => void }) {
  const company = site.several ? companyOfAddress() : "";
  // Names of other companies are told to nobody who is not signed in: their key is what the address says already.
  const own = company === "" || company === site.tenant;
  return (
    <Card site={own ? site : { ...site, name: { en: company, zh: company } }}>
      <SignInForm several={site.several} onSignedIn={onSignedIn} />
    </Card>
  );
}

/** The fields of a change of password, for the first sign-in and the person's menu. */
export function PasswordForm({ onDone }: { onDone: () => void }) {
  const t = useWords(shellWords);
  const say = useSay();
  const { busy, error, fields, run } = useSending();
  const needed = [{ required: true, message: t("required") }];
  const submit = (values: { old: string; new: string }) =>
    run(async () => {
      await api.post("/session/password", { old: values.old, new: values.new });
      onDone();
    });
  const wrong = (name: string) => (fields[name] ? { validateStatus: "error" as const, help: say(fields[name]) } : {});
  return (
    <Form layout="vertical" requiredMark={false} onFinish={submit} className="ms-gap-top">
      {error ? <Alert type="error" title={say(error)} role="alert" className="ms-gap-bottom" /> : null}
      <Form.Item name="old" label={t("oldPassword")} rules={needed} {...wrong("old")}>
        <Input.Password autoComplete="current-password" autoFocus />
      </Form.Item>
      <Form.Item name="new" label={t("newPassword")} extra={t("passwordRule", { n: PASSWORD_MIN })} rules={[...needed, { min: PASSWORD_MIN, message: t("passwordShort", { n: PASSWORD_MIN }) }]} {...wrong("new")}>
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <Form.Item
        name="repeat"
        label={t("repeatPassword")}
        dependencies={["new"]}
        rules={[
          ...needed,
          ({ getFieldValue }) => ({
            validator: (_, value) =>
              !value || value === getFieldValue("new") ? Promise.resolve() : Promise.reject(new Error(t("passwordsDiffer"))),
          }),
        ]}
      >
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <Button type="primary" htmlType="submit" block loading={busy}>
        {t("changePassword")}
      </Button>
    </Form>
  );
}

/** First sign-in: the password handed out is replaced before anything else. */
export function OwnPasswordPage({ site, person, onDone }: { site: Site; person: Person; onDone: (person: Person) => void }) {
  const t = useWords(shellWords);
  const { language } = usePreferences();
  return (
    <Card site={site} title={t("ownPasswordTitle")}>
      <p className="ms-second">{t("ownPasswordText")}</p>
      <PasswordForm onDone={() => onDone({ ...person, language: person.language ?? language, must_change_password: false })} />
    </Card>
  );
}
