import { useState } from "react";
import { Alert, App, Button, Form, Input, Popconfirm, Select, Typography } from "antd";
import { api, ApiError } from "../api";
import { PageState } from "../components/PageState";
import { useResource } from "../resource";
import { rankOf, useSession } from "../session";
import { type Page, type Role, ROLES, type Token } from "../types";
import { useSay, useWords } from "../words";
import { shellWords } from "../words/shell";

const DAYS = [7, 30, 90, 365];
const DAY_MS = 86_400_000;

/** The person's own tokens: make one, see it once, revoke it. */
export function Tokens() {
  const t = useWords(shellWords);
  const say = useSay();
  const { message } = App.useApp();
  const { zone, person } = useSession();
  const [fresh, setFresh] = useState<string | null>(null);
  const tokens = useResource("tokens", (signal) => api.get<Page<Token>>("/tokens", {}, signal));
  const failed = (error: unknown) => message.error(error instanceof ApiError ? say(error.text) : String(error));
  const create = async ({ name, role, days }: { name: string; role: Role; days: number }) => {
    try {
      const made = await api.post<Token & { token: string }>("/tokens", { name, role, expires_ms: Date.now() + days * DAY_MS });
      setFresh(made.token);
      tokens.reload();
    } catch (error) {
      failed(error);
    }
  };
  const revoke = (id: string) => api.delete(`/tokens/${id}`).then(tokens.reload, failed);
  const date = (ms: number | null) => (ms === null ? t("never") : zone.full(ms).slice(0, 16));
  return (
    <div className="ms-stack">
      <p className="ms-second">{t("tokenWhat")}</p>
      {fresh ? (
        <Alert
          type="info"
          title={t("tokenOnce")}
          description={
            <Typography.Text copyable className="ms-code">
              {fresh}
            </Typography.Text>
          }
        />
      ) : null}
      <Form layout="vertical" requiredMark={false} onFinish={create} initialValues={{ role: "viewer", days: 90 }}>
        <Form.Item name="name" label={t("tokenName")} rules={[{ required: true, message: t("required") }]}>
          <Input maxLength={80} />
        </Form.Item>
        <Form.Item name="role" label={t("tokenRole")}>
          <Select options={ROLES.filter((role) => rankOf(role) <= rankOf(person.role)).map((role) => ({ value: role, label: t(role) }))} />
        </Form.Item>
        <Form.Item name="days" label={t("tokenExpires")}>
          <Select options={DAYS.map((n) => ({ value: n, label: t("days", { n }) }))} />
        </Form.Item>
        <Button type="primary" htmlType="submit">
          {t("tokenCreate")}
        </Button>
      </Form>
      <PageState state={tokens} rows={3}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="ms-third">{t("tokenNone")}</p>
          ) : (
            <ul className="ms-list">
              {items.map((token) => (
                <li key={token.id} className="ms-row ms-pad">
                  <span className="ms-grow">
                    <span className="ms-bold">{token.name}</span> <span className="ms-second">{t(token.role)}</span>
                    <br />
                    <span className="ms-third ms-caption ms-num">
                      {t("tokenUntil")} {date(token.expires_ms)} · {t("tokenUsed")} {date(token.last_used_ms)}
                    </span>
                  </span>
                  <Popconfirm title={token.name} okText={t("tokenRevoke")} cancelText={t("cancel")} cancelButtonProps={{ autoFocus: true }} destroyOnHidden onConfirm={() => revoke(token.id)}>
                    <Button size="small">{t("tokenRevoke")}</Button>
                  </Popconfirm>
                </li>
              ))}
            </ul>
          )
        }
      </PageState>
    </div>
  );
}
