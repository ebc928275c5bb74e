import { useState } from "react";
import { Link } from "react-router";
import { Button, Form, Input, Select, Typography } from "antd";
import { api } from "../api";
import { PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSession } from "../session";
import { DAY_MS, DAYS, FreshToken, TokenLine } from "../shell/Tokens";
import type { Page } from "../types";
import { useWords } from "../words";
import { peopleWords } from "../words/people";
import { shellWords } from "../words/shell";

interface Held {
  id: string;
  name: string;
  expires_ms: number | null;
  last_used_ms: number | null;
}
interface Draft {
  name: string;
  days: number;
}

/** What is entered in the administration of the directory. */
function Entered({ address }: { address: string }) {
  const t = useWords(peopleWords);
  return (
    <section className="ms-panel">
      <h2>{t("scimEnter")}</h2>
      <div className="ms-panel-body">
        <dl className="ms-facts">
          <dt>{t("scimAddress")}</dt>
          <dd>
            <Typography.Text copyable className="ms-code ms-breaks">
              {address}
            </Typography.Text>
            <br />
            <span className="ms-third ms-caption">{t("scimAddressWhy")}</span>
          </dd>
          <dt>{t("scimSignIn")}</dt>
          <dd>{t("scimSignInHow")}</dd>
          <dt>{t("scimKey")}</dt>
          <dd className="ms-code">userName</dd>
          <dt>{t("scimDoes")}</dt>
          <dd>{t("scimDoesWhat")}</dd>
          <dt>{t("scimGroups")}</dt>
          <dd>
            {t("scimGroupsWhat")} <Link className="ms-inline-link" to="/admin/roles">{t("scimToRoles")}</Link>
          </dd>
        </dl>
      </div>
    </section>
  );
}

function MakeForm({ create }: { create: (draft: Draft) => void }) {
  const t = useWords({ ...shellWords, ...peopleWords });
  return (
    <Form layout="vertical" requiredMark={false} onFinish={create} initialValues={{ name: "", days: 365 }} className="ms-narrow">
      <Form.Item name="name" label={t("scimName")} rules={[{ required: true, whitespace: true, message: t("required") }]}>
        <Input maxLength={120} autoComplete="off" />
      </Form.Item>
      <Form.Item name="days" label={t("tokenExpires")}>
        <Select options={DAYS.map((n) => ({ value: n, label: t("days", { n }) }))} />
      </Form.Item>
      <Button type="primary" htmlType="submit">
        {t("tokenCreate")}
      </Button>
    </Form>
  );
}

/** A directory makes, changes and ends the company's accounts: on while there is a token for it. */
export function Provisioning() {
  const t = useWords({ ...shellWords, ...peopleWords });
  const failed = useFailed();
  const { site } = useSession();
  const [fresh, setFresh] = useState<string | null>(null);
  const held = useResource("provisioning", (signal) => api.get<Page<Held> & { address: string }>("/provisioning", {}, signal));
  const run = (work: Promise<unknown>) => void work.catch(failed).then(held.reload);
  const create = ({ name, days }: Draft) =>
    run(api.post<{ token: string }>("/provisioning", { name: name.trim(), expires_ms: site.now_ms + days * DAY_MS }).then(({ token }) => setFresh(token)));
  return (
    <PageState state={held} rows={4}>
      {({ items, address }) => (
        <div className="ms-stack">
          <p className="ms-second">{t("scimWhat")}</p>
          <section className="ms-panel">
            <h2>{t("scimTokens")}</h2>
            <div className="ms-panel-body ms-stack">
              <p role="status">{t(items.length > 0 ? "scimOn" : "scimOff")}</p>
              <FreshToken token={fresh} />
              {items.length > 0 ? (
                <ul className="ms-list">
                  {items.map((token) => (
                    <TokenLine key={token.id} token={token} onRevoke={() => run(api.delete(`/provisioning/${token.id}`))} />
                  ))}
                </ul>
              ) : null}
              <MakeForm create={create} />
            </div>
          </section>
          <Entered address={address} />
        </div>
      )}
    </PageState>
  );
}
