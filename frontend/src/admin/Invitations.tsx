import { useState } from "react";
import { Alert, App, Button, Form, Input, Modal, Select, Typography } from "antd";
import { api } from "../api";
import { AssetSelect, type ChosenAsset } from "../connect/AssetSelect";
import { EditDrawer } from "../components/EditDrawer";
import { useFailed } from "../failed";
import { type Resource, useResource } from "../resource";
import { useSession } from "../session";
import { type Invitation, type Page, ROLES, type Words } from "../types";
import { useSay, useWords } from "../words";
import { peopleWords } from "../words/people";
import { shellWords } from "../words/shell";

const DAYS = [1, 7, 30];
const LIMIT = 500;

interface Made extends Invitation {
  link: string;
  mailed: boolean;
  mail_error: Words | null;
}

/** A link that is shown this once: of an invitation, or of a company that was accepted. */
export function LinkDialog({ link, note, onClose }: { link: string | null; note: string; onClose: () => void }) {
  const t = useWords(peopleWords);
  return (
    <Modal open={link !== null} title={t("linkTitle")} onCancel={onClose} footer={<Button onClick={onClose}>{t("close")}</Button>} mask={{ closable: false }}>
      {note ? <Alert type="warning" title={note} className="ms-gap-bottom" /> : null}
      <Alert type="info" title={t("linkOnce")} className="ms-gap-bottom" />
      <Typography.Text copyable className="ms-code ms-secret">
        {link}
      </Typography.Text>
    </Modal>
  );
}

function InviteDrawer({ open, onClose, onMade }: { open: boolean; onClose: () => void; onMade: (made: Made) => void }) {
  const t = useWords({ ...shellWords, ...peopleWords });
  const say = useSay();
  const [form] = Form.useForm();
  const [place, setPlace] = useState<ChosenAsset | null>(null);
  const roles = useResource(open ? "roles" : null, (signal) => api.get<{ items: { id: string; code: string; name: Words }[] }>("/records/role", { limit: LIMIT }, signal));
  const save = async (values: Record<string, unknown>) => {
    onMade(await api.post<Made>("/invitations", { ...values, company_role: values.company_role ?? null, place: place?.id ?? null }));
    setPlace(null);
  };
  return (
    <EditDrawer open={open} title={t("inviteTitle")} form={form} start={{ email: "", name: "", role: "viewer", language: "", days: 7 }} save={save} onClose={onClose}>
      <Form.Item name="email" label={t("email")} extra={t("emailWhy")}>
        <Input maxLength={254} inputMode="email" autoCapitalize="none" spellCheck={false} autoComplete="off" />
      </Form.Item>
      <Form.Item name="name" label={t("name")}>
        <Input maxLength={120} autoComplete="off" />
      </Form.Item>
      <Form.Item name="role" label={t("tokenRole")}>
        <Select options={ROLES.map((role) => ({ value: role, label: t(role) }))} />
      </Form.Item>
      {roles.value?.items.length ? (
        <Form.Item name="company_role" label={t("ownRole")}>
          <Select allowClear options={roles.value.items.map(({ id, code, name }) => ({ value: id, label: say(name) || code }))} />
        </Form.Item>
      ) : null}
      <Form.Item label={t("onlyPlace")} htmlFor="invitation-place">
        <AssetSelect id="invitation-place" value={place} onChange={setPlace} invalid={false} />
        {place ? (
          <Button type="link" size="small" onClick={() => setPlace(null)}>
            {t("everywhere")}
          </Button>
        ) : null}
      </Form.Item>
      <Form.Item name="days" label={t("validDays")}>
        <Select options={DAYS.map((n) => ({ value: n, label: t("days", { n }) }))} />
      </Form.Item>
    </EditDrawer>
  );
}

function Row({ invitation, onWithdraw }: { invitation: Invitation; onWithdraw: () => void }) {
  const t = useWords(peopleWords);
  const { zone, site } = useSession();
  const name = invitation.name || invitation.email || t("byLink");
  const roles = [t(invitation.role), invitation.company_role_code].filter(Boolean).join(" · ");
  const over = invitation.expires_ms <= site.now_ms;
  return (
    <li className="ms-row ms-pad">
      <span className="ms-grow">
        <span className="ms-bold">{name}</span> <span className="ms-second">{invitation.name ? invitation.email : ""}</span>
        <br />
        <span className="ms-third ms-caption ms-num">
          {over ? t("expired") : t("invitedTo", { role: roles, until: zone.full(invitation.expires_ms).slice(0, 16) })}
          {invitation.place_path ? ` · ${t("inPlace", { place: invitation.place_path })}` : ""}
        </span>
      </span>
      <Button size="small" aria-label={t("withdrawThis", { name })} onClick={onWithdraw}>
        {t("withdraw")}
      </Button>
    </li>
  );
}

/** Open invitations and the way to a new one; the list stands only where there is one. */
export function Invitations({ open, onClose }: { open: boolean; onClose: () => void }) {
  const t = useWords(peopleWords);
  const say = useSay();
  const { message } = App.useApp();
  const failed = useFailed();
  const [made, setMade] = useState<Made | null>(null);
  const invitations: Resource<Page<Invitation>> = useResource("invitations", (signal) => api.get<Page<Invitation>>("/invitations", { limit: LIMIT }, signal));
  const items = invitations.value?.items ?? [];
  const onMade = (fresh: Made) => {
    invitations.reload();
    if (fresh.mailed) message.success(t("mailed", { email: fresh.email }));
    else setMade(fresh);
  };
  const withdraw = (id: string) => void api.delete(`/invitations/${id}`).catch(failed).then(invitations.reload);
  return (
    <>
      {items.length > 0 ? (
        <section className="ms-panel ms-gap-bottom" aria-label={t("openInvitations")}>
          <h2>{t("openInvitations")}</h2>
          <div className="ms-panel-body">
            <ul className="ms-list">
              {items.map((invitation) => (
                <Row key={invitation.id} invitation={invitation} onWithdraw={() => withdraw(invitation.id)} />
              ))}
            </ul>
          </div>
        </section>
      ) : null}
      <InviteDrawer open={open} onClose={onClose} onMade={onMade} />
      <LinkDialog link={made?.link ?? null} note={made?.mail_error ? t("mailFailed", { reason: say(made.mail_error) }) : ""} onClose={() => setMade(null)} />
    </>
  );
}
