import { useState } from "react";
import { Alert, App, Button, Dropdown, Form, Input, Modal, Select, Typography } from "antd";
import { api } from "../api";
import { EditDrawer, type Seen } from "../components/EditDrawer";
import { type Column, Grid } from "../components/Grid";
import { NoneMatch, PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSession } from "../session";
import { type Page, type Role, ROLES, type User } from "../types";
import { type Say, useWords } from "../words";
import { adminWords } from "../words/admin";

const LIMIT = 1000;
const ROLE_WORDS: Record<Role, "roleViewer" | "roleOperator" | "roleEngineer" | "roleAdministrator"> = {
  viewer: "roleViewer",
  operator: "roleOperator",
  engineer: "roleEngineer",
  administrator: "roleAdministrator",
};

type Told = Say<typeof adminWords>;
interface Secret {
  name: string;
  password: string;
}

const stateOf = (user: User, t: Told) => (user.locked ? t("locked") : t(user.enabled ? "enabled" : "disabled"));

function UserDrawer({ open, user, onClose, onSaved }: { open: boolean; user: User | null; onClose: () => void; onSaved: (secret: Secret | null) => void }) {
  const t = useWords(adminWords);
  const [form] = Form.useForm();
  const save = async (values: Record<string, unknown>, seen: Seen) => {
    if (user) {
      await api.patch(`/users/${user.id}`, { display_name: values.display_name, role: values.role, version: user.version, ...seen });
      onSaved(null);
      return;
    }
    const made = await api.post<User & { initial_password: string | null }>("/users", values);
    onSaved(made.initial_password ? { name: made.username, password: made.initial_password } : null);
  };
  return (
    <EditDrawer open={open} title={user ? user.username : t("addUser")} form={form} start={user ? { ...user } : { role: "viewer" }} save={save} onClose={onClose}>
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

type Deed = "edit" | "toggle" | "reset" | "out" | "delete";

function Actions({ user, own, act, t }: { user: User; own: boolean; act: (deed: Deed, user: User) => void; t: Told }) {
  const items = [
    { key: "edit", label: t("changeRole") },
    { key: "reset", label: t("resetPassword") },
    { key: "out", label: t("endSessions") },
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
    { key: "role", title: t("role"), width: "minmax(120px, 1fr)", cell: ({ role }) => t(role) },
    { key: "state", title: t("state"), width: "120px", cell: (user) => <span className={user.enabled && !user.locked ? "" : "ms-bold"}>{stateOf(user, t)}</span> },
    { key: "last", title: t("lastSignIn"), width: "160px", cell: ({ last_sign_in_ms }) => <span className="ms-num">{time(last_sign_in_ms)}</span> },
    { key: "act", title: "", width: "60px", cell: actions },
  ];
}

/** Who may sign in, and as what. */
export function Users() {
  const t = useWords(adminWords);
  const { zone, person } = useSession();
  const { modal, message } = App.useApp();
  const failed = useFailed();
  const [text, setText] = useState("");
  const [editing, setEditing] = useState<User | "new" | null>(null);
  const [secret, setSecret] = useState<Secret | null>(null);
  const users = useResource(text.trim(), (signal) => api.get<Page<User>>("/users", { search: text.trim(), limit: LIMIT }, signal));
  // What was refused because someone else changed it is shown as it stands now, too.
  const run = (work: Promise<unknown>) => void work.catch(failed).then(users.reload);
  const act = (deed: Deed, user: User) => {
    if (deed === "edit") setEditing(user);
    else if (deed === "toggle") run(api.patch(`/users/${user.id}`, { enabled: !user.enabled, version: user.version }));
    else if (deed === "reset") {
      run(
        api
          .post<{ initial_password: string }>(`/users/${user.id}/reset-password`)
          .then(({ initial_password }) => setSecret({ name: user.username, password: initial_password })),
      );
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
        <Button type="primary" onClick={() => setEditing("new")}>
          {t("addUser")}
        </Button>
      </div>
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
                      {t(user.role)} · {stateOf(user, t)}
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
        user={editing === "new" ? null : editing}
        onClose={() => setEditing(null)}
        onSaved={(made) => {
          setSecret(made);
          users.reload();
        }}
      />
      <SecretDialog secret={secret} onClose={() => setSecret(null)} />
    </>
  );
}
