import { useEffect, useState } from "react";
import { Alert, Button, Form, Input } from "antd";
import { api, reasonOf } from "../api";
import { Loading } from "../components/PageState";
import { usePreferences } from "../preferences";
import type { Role, Site, Words } from "../types";
import { useSay, useWords } from "../words";
import { peopleWords } from "../words/people";
import { shellWords } from "../words/shell";
import { useSending, told } from "./sending";
import { Card } from "./SignIn";

const PASSWORD_MIN = 10;

interface Invited {
  company: Words;
  tenant: string;
  name: string;
  role: Role;
}

let secret: string | null = null;

/** What stands behind the `#` of the address, which browsers send to no server; it leaves the history at once. */
export function secretOfAddress(): string {
  // A page may be begun more than once before it is shown.
  if (secret === null) {
    secret = window.location.hash.slice(1);
    window.history.replaceState(null, "", window.location.pathname);
  }
  return secret;
}

function Chosen({ invited, token, onDone }: { invited: Invited; token: string; onDone: (name: string) => void }) {
  const t = useWords({ ...shellWords, ...peopleWords });
  const say = useSay();
  const { language } = usePreferences();
  const { busy, error, fields, wrong, run } = useSending();
  const failed = told(error);
  const needed = [{ required: true, message: t("required") }];
  const submit = ({ username, display_name, password }: Record<string, string>) =>
    run(async () => {
      const made = await api.post<{ tenant: string; username: string }>("/invitations/accept", { token, username, display_name, password, language });
      onDone(`${made.tenant}/${made.username}`);
    });
  return (
    <Form layout="vertical" requiredMark={false} onFinish={submit} initialValues={{ display_name: invited.name, username: "" }} className="ms-gap-top">
      <p className="ms-second">{t("invitedAs", { role: t(invited.role) })}</p>
      {failed && Object.keys(fields).length === 0 ? <Alert type="error" title={say(failed)} role="alert" className="ms-gap-bottom" /> : null}
      <Form.Item name="username" label={t("user")} rules={needed} {...wrong("username")}>
        <Input autoComplete="username" autoCapitalize="none" spellCheck={false} maxLength={64} autoFocus />
      </Form.Item>
      <Form.Item name="display_name" label={t("yourName")}>
        <Input autoComplete="name" maxLength={120} />
      </Form.Item>
      <Form.Item name="password" label={t("password")} extra={t("passwordRule", { n: PASSWORD_MIN })} rules={[...needed, { min: PASSWORD_MIN, message: t("passwordShort", { n: PASSWORD_MIN }) }]} {...wrong("password")}>
        <Input.Password autoComplete="new-password" />
      </Form.Item>
      <Button type="primary" htmlType="submit" block loading={busy}>
        {t("join")}
      </Button>
    </Form>
  );
}

/** Whoever opens the link of an invitation chooses name and password here, then signs in by the usual door. */
export function InvitedPage({ site }: { site: Site }) {
  const t = useWords(peopleWords);
  const say = useSay();
  const [token] = useState(secretOfAddress);
  const [invited, setInvited] = useState<Invited | null>(null);
  const [error, setError] = useState<Words | null>(null);
  const [name, setName] = useState("");
  useEffect(() => {
    api.post<Invited>("/invitations/look", { token }).then(setInvited, (reason: unknown) => setError(reasonOf(reason)));
  }, [token]);
  const toSignIn = () => {
    const [tenant = ""] = name.split("/");
    window.location.assign(tenant === site.tenant || tenant === "" ? "/" : `/?tenant=${tenant}`);
  };
  if (error) {
    return (
      <Card site={site} title={t("invitationOver")}>
        <p className="ms-second">{say(error)}</p>
      </Card>
    );
  }
  if (!invited) return <Loading />;
  return (
    <Card site={{ ...site, name: invited.company }} title={t("invitedTitle")}>
      {name ? (
        <div className="ms-stack">
          <p role="status">{t("joined", { name })}</p>
          <Button type="primary" block onClick={toSignIn}>
            {t("toSignIn")}
          </Button>
        </div>
      ) : (
        <Chosen invited={invited} token={token} onDone={setName} />
      )}
    </Card>
  );
}
