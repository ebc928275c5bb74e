import { useState } from "react";
import { Alert, App, Button, Drawer, Dropdown, Form, Input, Modal, Select, Typography } from "antd";
import { api } from "../api";
import { EditDrawer, type Seen } from "../components/EditDrawer";
import { type Column, Grid } from "../components/Grid";
import { NoneMatch, PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSession } from "../session";
import { SessionsList } from "../shell/SessionsList";
import { Tokens } from "../shell/Tokens";
import { type Page, type Role, ROLES, type User } from "../types";
import { type Say, useWords } from "../words";
import { accountWords } from "../words/account";
import { adminWords } from "../words/admin";
import { peopleWords } from "../words/people";
import { Invitations } from "./Invitations";
import { SecondFactorRule } from "./SecondFactorRule";

const LIMIT = 1000;
const ROLE_WORDS: Record<Role, "roleGuest" | "roleViewer" | "roleOperator" | "roleEngineer" | "roleAdministrator"> = {
  guest: "roleGuest",
  viewer: "roleViewer",
  operator: "roleOperator",
  engineer: "roleEngineer",
  administrator: "roleAdministrator",
};

const allWords = { ...adminWords, ...peopleWords };
type Told = Say<typeof allWords>;
interface Secret {
  name: string;
  password: string;
}

const stateOf = (user: User, t: Told) => (user.locked ? t("locked") : t(user.enabled ? "enabled" : "disabled"));

function UserDrawer({ open, user, service, onClose, onSaved }: { open: boolean; user: User | null; service: boolean; onClose: () => void; onSaved: (secret: Secret | null) => void }) {
  const t = useWords(allWords);
  const [form] = Form.useForm();
  const save = async (values: Record<string, unknown>, seen: Seen) => {
    if (user) {
      await api.patch(`/users/${user.id}`, { display_name: values.display_name, role: values.role, version: user.version, ...seen });
      onSaved(null);
      return;
    }
    const made = await api.post<User & { initial_password: string | null }>("/users", { ...values, service });
    onSaved(made.initial_password ? { name: made.username, password: made.initial_password } : null);
  };
  return (
    <EditDrawer open={open} title={user ? user.username : t(service ? "addService" : "addUser")} form={form} start={user ? { ...user } : { role: "viewer" }} save={save} onClose={onClose}>
      {service ? <p className="ms-second">{t("serviceWhat")}</p> : null}
      {user ? null : (
        <Form.Item name="username" label={t("username")} rules={[{ required: true, message: t("required") }]}>
          <Input maxLength={100} autoCapitalize="none" spellCheck={false} autoComplete="off" />
        </Form.Item>
      )}
      <Form.Item name="display_name" label={t("displayName")} initialValue="">
        <Input maxLength={120} autoComplete="off" />
      </Form.Item>
      <Form.Item name="role" label={t("role")}>
        <Select options={ROLES.map((role) => ({ value: role, label: `${t(role)} · ${t(ROLE_WORDS[role])}` }))} />
      </Form.Item>
    </EditDrawer>
  );
}

/** A password that is shown this once. */
function SecretDialog({ secret, onClose }: { secret: Secret | null; onClose: () => void }) {
  const t = useWords(adminWords);
  return (
    <Modal open={secret !== null} title={t("passwordTitle", { name: secret?.name ?? "" })} onCancel={onClose} footer={<Button onClick={onClose}>{t("close")}</Button>} mask={{ closable: false }}>
      <Alert type="info" title={t("passwordOnce")} className="ms-gap-bottom" />
      <Typography.Text copyable className="ms-code ms-secret">
        {secret?.password}
      </Typography.Text>
    </Modal>
  );
}

type Deed = "edit" | "toggle" | "reset" | "factor" | "sessions" | "tokens" | "out" | "delete";

function Actions({ user, own, act, t }: { user: User; own: boolean; act: (deed: Deed, user: User) => void; t: Told }) {
  const tAccount = useWords(accountWords);
  const items = [
    { key: "edit", label: t("changeRole") },
    ...(user.service
      ? [{ key: "tokens", label: t("tokensOf", { name: user.username }) }]
      : [
          { key: "reset", label: t("resetPassword") },
          { key: "factor", label: tAccount("resetFactor") },
          { key: "sessions", label: t("sessions") },
          { key: "out", label: t("endSessions") },
        ]),
    { key: "toggle", label: t(user.enabled ? "disable" : "enable"), disabled: own },
    { key: "delete", label: t("remove"), disabled: own },
  ];
  return (
    <Dropdown trigger={["click"]} placement="bottomRight" menu={{ items, onClick: ({ key }) => act(key as Deed, user) }}>
      <Button size="small" aria-label={t("actions", { name: user.username })} aria-haspopup="menu">
        ⋯
      </Button>
    </Dropdown>
  );
}

function columnsOf(t: Told, time: (ms: number | null) => string, actions: (user: User) => React.ReactNode): Column<User>[] {
  return [
    { key: "username", title: t("username"), width: "minmax(120px, 1fr)", cell: ({ username }) => <span className="ms-bold">{username}</span> },
    { key: "name", title: t("displayName"), width: "minmax(120px, 1fr)", cell: ({ display_name }) => display_name },
    { key: "role", title: t("role"), width: "minmax(120px, 1fr)", cell: ({ role, service }) => (service ? `${t(role)} · ${t("service")}` : t(role)) },
    { key: "state", title: t("state"), width: "120px", cell: (user) => <span className={user.enabled && !user.locked ? "" : "ms-bold"}>{stateOf(user, t)}</span> },
    { key: "last", title: t("lastSignIn"), width: "160px", cell: ({ last_sign_in_ms }) => <span className="ms-num">{time(last_sign_in_ms)}</span> },
    { key: "act", title: "", width: "60px", cell: actions },
  ];
}

interface Opened {
  user: User;
  part: "sessions" | "tokens";
}

/** Where a person is signed in, or what tokens a service account has. */
function OpenedDrawer({ opened, onClose }: { opened: Opened | null; onClose: () => void }) {
  const t = useWords(allWords);
  const title = opened ? t(opened.part === "tokens" ? "tokensOf" : "sessionsOf", { name: opened.user.username }) : "";
  return (
    <Drawer open={opened !== null} onClose={onClose} title={title} size={560} destroyOnHidden>
      {opened?.part === "sessions" ? <SessionsList user={opened.user.id} /> : null}
      {opened?.part === "tokens" ? <Tokens of={opened.user} /> : null}
    </Drawer>
  );
}

/** Who may sign in, and as what. */
export function Users() {
  const t = useWords(allWords);
  const { zone, person } = useSession();
  const { modal, message } = App.useApp();
  const tAccount = useWords(accountWords);
  const failed = useFailed();
  const [text, setText] = useState("");
  const [editing, setEditing] = useState<User | "person" | "service" | null>(null);
  const [inviting, setInviting] = useState(false);
  const [opened, setOpened] = useState<Opened | null>(null);
  const [secret, setSecret] = useState<Secret | null>(null);
  const users = useResource(text.trim(), (signal) => api.get<Page<User>>("/users", { search: text.trim(), limit: LIMIT }, signal));
  // What was refused because someone else changed it is shown as it stands now, too.
  const run = (work: Promise<unknown>) => void work.catch(failed).then(users.reload);
  const act = (deed: Deed, user: User) => {
    if (deed === "edit") setEditing(user);
    else if (deed === "sessions" || deed === "tokens") setOpened({ user, part: deed });
    else if (deed === "toggle") run(api.patch(`/users/${user.id}`, { enabled: !user.enabled, version: user.version }));
    else if (deed === "reset") {
      run(
        api
          .post<{ initial_password: string }>(`/users/${user.id}/reset-password`)
          .then(({ initial_password }) => setSecret({ name: user.username, password: initial_password })),
      );
    } else if (deed === "factor") {
      void modal.confirm({
        title: tAccount("resetFactorSure", { name: user.username }),
        okText: tAccount("resetFactor"),
        cancelText: t("cancel"),
        onOk: () => run(api.post(`/users/${user.id}/reset-second-factor`).then(() => message.success(tAccount("factorReset", { name: user.username })))),
      });
    } else if (deed === "out") {
      run(api.post(`/users/${user.id}/sign-out`).then(() => message.success(t("sessionsEnded", { name: user.username }))));
    } else {
      void modal.confirm({
        title: t("deleteUserSure", { name: user.username }),
        okText: t("remove"),
        cancelText: t("cancel"),
        onOk: () => run(api.delete(`/users/${user.id}`)),
      });
    }
  };
  const time = (ms: number | null) => (ms === null ? t("never") : zone.full(ms).slice(0, 16));
  const actions = (user: User) => <Actions user={user} own={user.id === person.id} act={act} t={t} />;
  return (
    <>
      <div className="ms-filters">
        <Input allowClear value={text} onChange={(event) => setText(event.target.value)} placeholder={t("findUser")} aria-label={t("findUser")} />
        <span className="ms-grow" />
        <SecondFactorRule />
        <Button onClick={() => setEditing("service")}>{t("addService")}</Button>
        <Button onClick={() => setEditing("person")}>{t("addUser")}</Button>
        <Button type="primary" onClick={() => setInviting(true)}>
          {t("invite")}
        </Button>
      </div>
      <Invitations open={inviting} onClose={() => setInviting(false)} />
      <PageState state={users}>
        {({ items, total }) => (
          <div className="ms-panel ms-grid-place">
            <Grid
              label={t("usersLabel")}
              columns={columnsOf(t, time, actions)}
              rows={items}
              total={total}
              rowKey={({ id }) => id}
              onOpen={setEditing}
              phone={(user) => (
                <span className="ms-row">
                  <span className="ms-grow ms-grid-two ms-no-pad">
                    <span className="ms-bold ms-cut">{user.display_name || user.username}</span>
                    <span className="ms-second ms-caption">
                      {user.service ? t("service") : t(user.role)} · {stateOf(user, t)}
                    </span>
                  </span>
                  {actions(user)}
                </span>
              )}
              empty={<NoneMatch total={total} onClear={() => setText("")} />}
            />
          </div>
        )}
      </PageState>
      <UserDrawer
        open={editing !== null}
        user={typeof editing === "string" ? null : editing}
        service={editing === "service"}
        onClose={() => setEditing(null)}
        onSaved={(made) => {
          setSecret(made);
          users.reload();
        }}
      />
      <OpenedDrawer opened={opened} onClose={() => setOpened(null)} />
      <SecretDialog secret={secret} onClose={() => setSecret(null)} />
    </>
  );
}
