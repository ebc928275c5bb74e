import { type ReactNode, useState } from "react";
import { Alert, Button, Checkbox, Collapse, Form, Input, Popconfirm, Select, Typography } from "antd";
import { api } from "../api";
import { PageState } from "../components/PageState";
import { AssetSelect, type ChosenAsset } from "../connect/AssetSelect";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { rankOf, useSession } from "../session";
import { type Page, type Role, ROLES, type Token, type Words } from "../types";
import { useSay, useWords } from "../words";
import { peopleWords } from "../words/people";
import { shellWords } from "../words/shell";

export const DAYS = [7, 30, 90, 365];
export const DAY_MS = 86_400_000;
const READING = ["view", "export"];

interface Draft {
  name: string;
  role: Role;
  days: number;
  reading: boolean;
  kinds: string[];
}

/** What a new token is confined to: kinds of records, a part of the plant. */
function Limits({ place, onPlace }: { place: ChosenAsset | null; onPlace: (place: ChosenAsset | null) => void }) {
  const t = useWords(peopleWords);
  const say = useSay();
  const kinds = useResource("kinds", (signal) => api.get<{ kind: string; many: Words }[]>("/kinds", {}, signal));
  return (
    <>
      <Form.Item name="kinds" label={t("onlyKinds")} extra={t("onlyKindsWhy")}>
        <Select mode="multiple" options={(kinds.value ?? []).map(({ kind, many }) => ({ value: kind, label: say(many) }))} optionFilterProp="label" />
      </Form.Item>
      <Form.Item label={t("onlyPlace")} htmlFor="token-place">
        <AssetSelect id="token-place" value={place} onChange={onPlace} invalid={false} />
        {place ? (
          <Button type="link" size="small" onClick={() => onPlace(null)}>
            {t("everywhere")}
          </Button>
        ) : null}
      </Form.Item>
    </>
  );
}

function TokenForm({ highest, create }: { highest: Role; create: (draft: Draft, place: ChosenAsset | null) => Promise<void> }) {
  const t = useWords({ ...shellWords, ...peopleWords });
  const [place, setPlace] = useState<ChosenAsset | null>(null);
  return (
    <Form layout="vertical" requiredMark={false} onFinish={(draft: Draft) => void create(draft, place)} initialValues={{ role: "viewer", days: 90, reading: false, kinds: [] }}>
      <Form.Item name="name" label={t("tokenName")} rules={[{ required: true, message: t("required") }]}>
        <Input maxLength={80} />
      </Form.Item>
      <Form.Item name="role" label={t("tokenRole")}>
        <Select options={ROLES.filter((role) => rankOf(role) <= rankOf(highest)).map((role) => ({ value: role, label: t(role) }))} />
      </Form.Item>
      <Form.Item name="reading" valuePropName="checked" extra={t("readOnlyWhy")}>
        <Checkbox>{t("readOnly")}</Checkbox>
      </Form.Item>
      <Form.Item name="days" label={t("tokenExpires")}>
        <Select options={DAYS.map((n) => ({ value: n, label: t("days", { n }) }))} />
      </Form.Item>
      <Collapse ghost size="small" items={[{ key: "limits", label: t("more"), forceRender: true, children: <Limits place={place} onPlace={setPlace} /> }]} />
      <Button type="primary" htmlType="submit">
        {t("tokenCreate")}
      </Button>
    </Form>
  );
}

/** A token that was just made: its secret is shown this once. */
export function FreshToken({ token }: { token: string | null }) {
  const t = useWords(shellWords);
  if (token === null) return null;
  return (
    <Alert
      type="info"
      title={t("tokenOnce")}
      description={
        <Typography.Text copyable className="ms-code">
          {token}
        </Typography.Text>
      }
    />
  );
}

interface LineProps {
  token: { name: string; expires_ms: number | null; last_used_ms: number | null };
  /** What it may, beside its name. */
  may?: string;
  children?: ReactNode;
  onRevoke: () => void;
}

/** What a token is for, until when it holds, when it was used, and the way to end it. */
export function TokenLine({ token, may = "", children, onRevoke }: LineProps) {
  const t = useWords(shellWords);
  const { zone } = useSession();
  const date = (ms: number | null) => (ms === null ? t("never") : zone.full(ms).slice(0, 16));
  return (
    <li className="ms-row ms-pad">
      <span className="ms-grow">
        <span className="ms-bold">{token.name}</span> <span className="ms-second">{may}</span>
        <br />
        <span className="ms-third ms-caption ms-num">
          {t("tokenUntil")} {date(token.expires_ms)} · {t("tokenUsed")} {date(token.last_used_ms)}
        </span>
      </span>
      {children}
      <Popconfirm title={token.name} okText={t("tokenRevoke")} cancelText={t("cancel")} cancelButtonProps={{ autoFocus: true }} destroyOnHidden onConfirm={onRevoke}>
        <Button size="small">{t("tokenRevoke")}</Button>
      </Popconfirm>
    </li>
  );
}

function TokenRow({ token, run, renew }: { token: Token; run: (work: Promise<unknown>) => void; renew: () => void }) {
  const t = useWords({ ...shellWords, ...peopleWords });
  const limits = [token.rights?.every((right) => READING.includes(right)) ? t("readOnly") : "", token.kinds.join(", "), token.place_path].filter(Boolean);
  return (
    <TokenLine token={token} may={[t(token.role), ...limits].join(" · ")} onRevoke={() => run(api.delete(`/tokens/${token.id}`))}>
      <Popconfirm title={t("rotateSure", { name: token.name })} okText={t("rotate")} cancelText={t("cancel")} cancelButtonProps={{ autoFocus: true }} destroyOnHidden onConfirm={renew}>
        <Button size="small">{t("rotate")}</Button>
      </Popconfirm>
    </TokenLine>
  );
}

/** The person's own tokens, or those of a service account: make one, see it once, renew it, revoke it. */
export function Tokens({ of }: { of?: { id: string; role: Role } }) {
  const t = useWords(shellWords);
  const failed = useFailed();
  const { person } = useSession();
  const [fresh, setFresh] = useState<string | null>(null);
  const owner = of?.id ?? person.id;
  const tokens = useResource(owner, (signal) => api.get<Page<Token>>("/tokens", { limit: 1000 }, signal), true);
  const made = (work: Promise<Token & { token: string }>) => run(work.then(({ token }) => setFresh(token)));
  const run = (work: Promise<unknown>) => void work.catch(failed).then(tokens.reload);
  const create = async ({ name, role, days, reading, kinds }: Draft, place: ChosenAsset | null) =>
    made(
      api.post("/tokens", {
        name,
        role,
        kinds,
        expires_ms: Date.now() + days * DAY_MS,
        rights: reading && role !== "guest" ? READING : null,
        place: place?.id ?? null,
        user: of?.id ?? null,
      }),
    );
  return (
    <div className="ms-stack">
      <p className="ms-second">{t("tokenWhat")}</p>
      <FreshToken token={fresh} />
      <TokenForm highest={of?.role ?? person.role} create={create} />
      <PageState state={tokens} rows={3}>
        {({ items }) => {
          const own = items.filter(({ user }) => user === owner);
          return own.length === 0 ? (
            <p className="ms-third">{t("tokenNone")}</p>
          ) : (
            <ul className="ms-list">
              {own.map((token) => (
                <TokenRow key={token.id} token={token} run={run} renew={() => made(api.post(`/tokens/${token.id}/rotate`))} />
              ))}
            </ul>
          );
        }}
      </PageState>
    </div>
  );
}
