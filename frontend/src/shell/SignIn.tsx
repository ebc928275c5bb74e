import { type ReactNode, useState } from "react";
import { Alert, Button, Divider, Form, Input } from "antd";
import { Factors } from "../account/Factors";
import { askPasskey, NoPasskey, passkeysPossible } from "../account/passkey";
import { leaveFor, type Provider, type Step } from "../account/returned";
import { SecondStep } from "../account/SecondStep";
import { api } from "../api";
import { Zone } from "../format/time";
import { usePreferences } from "../preferences";
import { useResource } from "../resource";
import type { Person, Site } from "../types";
import { useSay, useWords } from "../words";
import { accountWords } from "../words/account";
import { peopleWords } from "../words/people";
import { shellWords } from "../words/shell";
import { LanguageButton, ThemeButton } from "./Buttons";
import { useSending, told } from "./sending";
import "../account/account.css";
import "./shell.css";

const PASSWORD_MIN = 10;

/** The company in the page's address, `?tenant=north`, stands in the form already. */
const companyOfAddress = () => new URLSearchParams(window.location.search).get("tenant") ?? "";

interface SignInValues {
  company?: string;
  username: string;
  password: string;
}

/** Without a password: by a passkey, and a button for each provider where people of the company sign in. */
function OtherWays({ company, onSignedIn }: { company: string; onSignedIn: (person: Person) => void }) {
  const t = useWords(accountWords);
  const say = useSay();
  const { busy, error, run } = useSending();
  const found = useResource(`providers ${company}`, (signal) => api.get<Provider[]>("/session/providers", { tenant: company }, signal), true);
  const failed = error instanceof NoPasskey ? t("passkeySignInFailed") : error ? say(error.text) : null;
  const byPasskey = () =>
    run(async () => {
      const options = await api.post<Parameters<typeof askPasskey>[0]>("/session/by-passkey/begin");
      onSignedIn((await api.post<{ user: Person }>("/session/by-passkey", { passkey: await askPasskey(options) })).user);
    });
  const providers = found.value ?? [];
  if (providers.length === 0 && !passkeysPossible()) return null;
  return (
    <>
      <Divider plain>{t("or")}</Divider>
      {failed ? <Alert type="error" title={failed} role="alert" className="ms-gap-bottom" /> : null}
      <div className="ms-stack">
        {passkeysPossible() ? (
          <Button block loading={busy} onClick={byPasskey}>
            {t("passkeySignIn")}
          </Button>
        ) : null}
        {providers.map(({ provider, name }) => (
          <Button key={provider} block loading={busy} onClick={() => run(() => leaveFor("/session/providers", provider))}>
            {t("signInWith", { name: say(name) })}
          </Button>
        ))}
      </div>
    </>
  );
}

export function SignInForm({ username = "", several = false, begun = [], onSignedIn }: {
  username?: string;
  several?: boolean;
  /** What the second step is taken with, where the first was done elsewhere. */
  begun?: string[];
  onSignedIn: (person: Person) => void;
}) {
  const t = useWords(shellWords);
  const say = useSay();
  const { busy, error, run } = useSending();
  const [kinds, setKinds] = useState(begun);
  const [company, setCompany] = useState(several ? companyOfAddress() : "");
  const submit = ({ company, username: name, password }: SignInValues) =>
    run(async () => {
      const full = company ? `${company.trim()}/${name}` : name;
      const next = await api.post<Step>("/session", { username: full, password });
      if ("user" in next) onSignedIn(next.user);
      else setKinds(next.second_step);
    });
  const failed = told(error);
  if (kinds.length > 0) return <SecondStep kinds={kinds} onSignedIn={onSignedIn} onBack={() => setKinds([])} />;
  return (
    <>
    <Form layout="vertical" requiredMark={false} initialValues={{ username, company }} onFinish={submit} className="ms-gap-top">
      {failed ? <Alert type="error" title={say(failed)} role="alert" className="ms-gap-bottom" /> : null}
      {several ? (
        <Form.Item name="company" label={t("company")} extra={t("companyText")}>
          <Input autoComplete="organization" autoCapitalize="none" spellCheck={false} onBlur={(event) => setCompany(event.target.value.trim())} />
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
    {username === "" ? <OtherWays company={company} onSignedIn={onSignedIn} /> : null}
    </>
  );
}

/** The frame of what is open to those who are not signed in. */
export function Card({ site, title, wide = false, children }: { site: Site; title?: string; wide?: boolean; children: ReactNode }) {
  const t = useWords(shellWords);
  const say = useSay();
  return (
    <main className="ms-signin">
      <div className="ms-row ms-signin-top">
        <LanguageButton />
        <ThemeButton />
      </div>
      <section className={`ms-panel ms-signin-card${wide ? " ms-signin-wide" : ""}`}>
        <p className="ms-third">{title ? `${t("product")} · ${say(site.name)}` : t("product")}</p>
        <h1>{title ?? say(site.name)}</h1>
        {children}
      </section>
    </main>
  );
}

export function SignInPage({ site, begun, refused, onSignedIn }: {
  site: Site;
  begun?: string[];
  /** Why a sign-in at a provider led nowhere. */
  refused?: string | null;
  onSignedIn: (person: Person) => void;
}) {
  const tPeople = useWords(peopleWords);
  const company = site.several ? companyOfAddress() : "";
  // Names of other companies are told to nobody who is not signed in: their key is what the address says already.
  const own = company === "" || company === site.tenant;
  return (
    <Card site={own ? site : { ...site, name: { en: company, zh: company } }}>
      {refused ? <Alert type="error" title={refused} role="alert" className="ms-gap-top" /> : null}
      <SignInForm several={site.several} {...(begun ? { begun } : {})} onSignedIn={onSignedIn} />
      {site.registration ? (
        <p className="ms-gap-top">
          <a href="/register">{tPeople("registerLink")}</a>
        </p>
      ) : null}
    </Card>
  );
}

/** The fields of a change of password, for the first sign-in and the person's menu. */
export function PasswordForm({ onDone }: { onDone: () => void }) {
  const t = useWords(shellWords);
  const say = useSay();
  const { busy, error, wrong, run } = useSending();
  const failed = told(error);
  const needed = [{ required: true, message: t("required") }];
  const submit = (values: { old: string; new: string }) =>
    run(async () => {
      await api.post("/session/password", { old: values.old, new: values.new });
      onDone();
    });
  return (
    <Form layout="vertical" requiredMark={false} onFinish={submit} className="ms-gap-top">
      {failed ? <Alert type="error" title={say(failed)} role="alert" className="ms-gap-bottom" /> : null}
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

/** Who is half in, and the way out again. */
function Leave({ person, onLeft }: { person: Person; onLeft: () => void }) {
  const t = useWords(shellWords);
  const { busy, run } = useSending();
  const leave = () =>
    run(async () => {
      await api.delete("/session");
      onLeft();
    });
  return (
    <p className="ms-row ms-wrap ms-gap-top">
      <span className="ms-third">{t("person", { name: person.display_name || person.username })}</span>
      <Button type="link" size="small" loading={busy} onClick={leave}>
        {t("signOut")}
      </Button>
    </p>
  );
}

/** First sign-in: the password handed out is replaced before anything else. */
export function OwnPasswordPage({ site, person, onDone }: { site: Site; person: Person; onDone: (person: Person | null) => void }) {
  const t = useWords(shellWords);
  const { language } = usePreferences();
  return (
    <Card site={site} title={t("ownPasswordTitle")}>
      <p className="ms-second">{t("ownPasswordText")}</p>
      <PasswordForm onDone={() => onDone({ ...person, language: person.language ?? language, must_change_password: false })} />
      <Leave person={person} onLeft={() => onDone(null)} />
    </Card>
  );
}

/** Nothing else is open until a second factor is set up. */
export function OwnFactorPage({ site, person, onDone }: { site: Site; person: Person; onDone: (person: Person | null) => void }) {
  const t = useWords(accountWords);
  return (
    <Card site={site} title={t("mustAddTitle")} wide>
      <p className="ms-second ms-gap-bottom">{t("mustAddText")}</p>
      <Factors zone={new Zone(site.zone)} onAdded={() => onDone({ ...person, must_add_second_factor: false })} />
      <Leave person={person} onLeft={() => onDone(null)} />
    </Card>
  );
}
