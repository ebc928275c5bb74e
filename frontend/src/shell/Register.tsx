import { useEffect, useState } from "react";
import { Alert, Button, Form, Input } from "antd";
import { api, reasonOf } from "../api";
import { usePreferences } from "../preferences";
import type { Site, Words } from "../types";
import { useSay, useWords } from "../words";
import { peopleWords } from "../words/people";
import { secretOfAddress } from "./Invited";
import { useSending, told } from "./sending";
import { Card } from "./SignIn";

const FIELDS = ["company", "credit_code", "contact", "email", "phone", "notes"];
const START = Object.fromEntries(FIELDS.map((name) => [name, ""]));

function RegisterForm({ onSent }: { onSent: (confirm: boolean) => void }) {
  const t = useWords(peopleWords);
  const say = useSay();
  const { language } = usePreferences();
  const { busy, error, fields, wrong, run } = useSending();
  const needed = [{ required: true, message: t("required") }];
  const rest = FIELDS.some((name) => fields[name]) ? null : (Object.values(fields)[0] ?? told(error));
  const submit = (values: Record<string, string>) => run(async () => onSent((await api.post<{ confirm: boolean }>("/registration", { ...values, language })).confirm));
  return (
    <Form layout="vertical" requiredMark={false} onFinish={submit} initialValues={START} className="ms-gap-top">
      <p className="ms-second ms-gap-bottom">{t("registerWhat")}</p>
      {rest ? <Alert type="error" title={say(rest)} role="alert" className="ms-gap-bottom" /> : null}
      <Form.Item name="company" label={t("companyName")} rules={needed} {...wrong("company")}>
        <Input autoComplete="organization" maxLength={200} autoFocus />
      </Form.Item>
      <Form.Item name="credit_code" label={t("creditCode")} extra={t("optional")} {...wrong("credit_code")}>
        <Input maxLength={18} autoCapitalize="characters" spellCheck={false} />
      </Form.Item>
      <Form.Item name="contact" label={t("contact")} rules={needed} {...wrong("contact")}>
        <Input autoComplete="name" maxLength={120} />
      </Form.Item>
      <Form.Item name="email" label={t("email")} extra={t("eitherWay")} {...wrong("email")}>
        <Input autoComplete="email" inputMode="email" maxLength={254} autoCapitalize="none" spellCheck={false} />
      </Form.Item>
      <Form.Item name="phone" label={t("phone")} {...wrong("phone")}>
        <Input autoComplete="tel" inputMode="tel" maxLength={40} />
      </Form.Item>
      <Form.Item name="notes" label={t("message")} extra={t("optional")} {...wrong("notes")}>
        <Input.TextArea rows={3} maxLength={2000} />
      </Form.Item>
      <Button type="primary" htmlType="submit" block loading={busy}>
        {t("send")}
      </Button>
    </Form>
  );
}

/** A company asks for an account; with the secret of a mail in its address the page confirms that mail's address. */
export function RegisterPage({ site }: { site: Site }) {
  const t = useWords(peopleWords);
  const say = useSay();
  const [token] = useState(secretOfAddress);
  const [sent, setSent] = useState<"" | "sent" | "confirm" | "confirmed">("");
  const [error, setError] = useState<Words | null>(null);
  useEffect(() => {
    if (!token) return;
    api.post("/registration/confirm", { token }).then(
      () => setSent("confirmed"),
      (reason: unknown) => setError(reasonOf(reason)),
    );
  }, [token]);
  const title = t(sent === "" ? "registerTitle" : sent === "confirmed" ? "confirmed" : "sent");
  return (
    <Card site={site} title={title}>
      {error ? <Alert type="error" title={say(error)} role="alert" /> : null}
      {sent !== "" ? <p className="ms-second">{t(sent === "confirm" ? "confirmText" : "sentText")}</p> : null}
      {sent === "" && !token ? <RegisterForm onSent={(confirm) => setSent(confirm ? "confirm" : "sent")} /> : null}
      <p className="ms-gap-top"><a href="/">{t("toSignIn")}</a></p>
    </Card>
  );
}
