import { useState } from "react";
import { App, Button, Drawer, Form, Input } from "antd";
import { api } from "../api";
import { EditDrawer } from "../components/EditDrawer";
import { type Column, Grid } from "../components/Grid";
import { Empty, PageState } from "../components/PageState";
import { useResource } from "../resource";
import { useSession } from "../session";
import type { Page, Registration, Words } from "../types";
import { useSay, useWords } from "../words";
import { peopleWords } from "../words/people";
import { LinkDialog } from "./Invitations";

const LIMIT = 500;

interface Decided extends Registration {
  link: string;
  mailed: boolean;
  mail_error: Words | null;
}
type Verb = "accept" | "refuse";

function Decision({ verb, asked, onClose, onDone }: { verb: Verb; asked: Registration; onClose: () => void; onDone: (decided: Decided) => void }) {
  const t = useWords(peopleWords);
  const { site } = useSession();
  const [form] = Form.useForm();
  const needed = [{ required: true, message: t("required") }];
  const save = async (values: Record<string, unknown>) => {
    const body = verb === "refuse" ? values : { key: values.key, zone: values.zone, name: values.name };
    onDone(await api.post<Decided>(`/registrations/${asked.id}/${verb}`, body));
  };
  const chinese = /[\u4e00-\u9fff]/.test(asked.company);
  const start = verb === "refuse" ? { reason: "" } : { key: "", zone: site.zone, name: { en: chinese ? "" : asked.company, zh: chinese ? asked.company : "" } };
  return (
    <EditDrawer open title={t("decides", { verb: t(verb), company: asked.company })} action={t(verb)} form={form} start={start} save={save} onClose={onClose}>
      {verb === "accept" ? <p className="ms-second ms-gap-bottom">{t("acceptWhat", { contact: asked.contact })}</p> : null}
      {verb === "refuse" ? (
        <Form.Item name="reason" label={t("reason")} extra={asked.email ? t("reasonMailed", { email: asked.email }) : t("reasonKept", { phone: asked.phone })} rules={needed}>
          <Input.TextArea rows={4} maxLength={1000} />
        </Form.Item>
      ) : (
        <>
          <Form.Item name="key" label={t("companyKey")} extra={t("companyKeyWhy")} rules={[...needed, { pattern: /^[a-z][a-z0-9-]{0,31}$/, message: t("companyKeyShape") }]}>
            <Input maxLength={32} autoCapitalize="none" spellCheck={false} />
          </Form.Item>
          <Form.Item name={["name", "zh"]} label={t("nameZh")}>
            <Input maxLength={200} />
          </Form.Item>
          <Form.Item name={["name", "en"]} label={t("nameEn")}>
            <Input maxLength={200} />
          </Form.Item>
          <Form.Item name="zone" label={t("timeZone")} rules={needed}>
            <Input maxLength={64} spellCheck={false} />
          </Form.Item>
        </>
      )}
    </EditDrawer>
  );
}

function Detail({ asked, onClose, onDecide }: { asked: Registration; onClose: () => void; onDecide: (verb: Verb) => void }) {
  const t = useWords(peopleWords);
  const { zone } = useSession();
  const facts: [string, string][] = [
    [t("creditCode"), asked.credit_code],
    [t("asker"), asked.contact],
    [t("email"), asked.email],
    [t("phone"), asked.phone],
    [t("message"), asked.notes],
    [t("asked"), zone.full(asked.created_ms)],
    [t("reason"), asked.reason],
  ];
  const open = asked.state === "waiting" || asked.state === "unconfirmed";
  return (
    <Drawer open title={asked.company} onClose={onClose} size={480}>
      <dl className="ms-facts">
        <dt>{t("state")}</dt>
        <dd>{t(asked.state, { made: asked.made })}</dd>
        {facts.filter(([, value]) => value).map(([name, value]) => [<dt key={name}>{name}</dt>, <dd key={`${name} value`}>{value}</dd>])}
      </dl>
      {open ? (
        <div className="ms-row ms-gap-top">
          <Button type="primary" onClick={() => onDecide("accept")}>
            {t("accept")}
          </Button>
          <Button onClick={() => onDecide("refuse")}>{t("refuse")}</Button>
        </div>
      ) : null}
    </Drawer>
  );
}

/** Whether the person's company is the one that decides: the others have no such list. */
export function useReviews(): boolean {
  const { site } = useSession();
  const asked = useResource(site.registration ? "reviews" : null, (signal) => api.get<Page<Registration>>("/registrations", { limit: 1 }, signal));
  return asked.value !== undefined;
}

/** Companies that ask for an account: looked at, accepted or refused. */
export function Registrations() {
  const t = useWords(peopleWords);
  const say = useSay();
  const { zone } = useSession();
  const [shown, setShown] = useState<Registration | null>(null);
  const [verb, setVerb] = useState<Verb | null>(null);
  const [decided, setDecided] = useState<Decided | null>(null);
  const asked = useResource("registrations", (signal) => api.get<Page<Registration>>("/registrations", { limit: LIMIT }, signal));
  const { message } = App.useApp();
  const time = (ms: number) => zone.full(ms).slice(0, 16);
  const columns: Column<Registration>[] = [
    { key: "company", title: t("companyName"), width: "minmax(160px, 2fr)", cell: ({ company }) => <span className="ms-bold">{company}</span> },
    { key: "code", title: t("creditCode"), width: "180px", cell: ({ credit_code }) => <span className="ms-code">{credit_code}</span> },
    { key: "contact", title: t("asker"), width: "minmax(120px, 1fr)", cell: ({ contact }) => contact },
    { key: "state", title: t("state"), width: "minmax(140px, 1fr)", cell: ({ state, made }) => t(state, { made }) },
    { key: "asked", title: t("asked"), width: "160px", cell: ({ created_ms }) => <span className="ms-num">{time(created_ms)}</span> },
  ];
  const done = (fresh: Decided) => {
    setShown(null);
    setVerb(null);
    asked.reload();
    const { company, contact, email, phone } = fresh;
    const decision = t(fresh.state === "refused" ? "refusedNow" : "acceptedNow", { company });
    if (fresh.mailed) message.success(`${decision} ${t("toldByMail", { email })}`, 6);
    else if (fresh.link) setDecided(fresh);
    // Nobody else tells them.
    else message.warning([decision, fresh.mail_error ? t("mailFailed", { reason: say(fresh.mail_error) }) : "", t("tellThem", { contact, by: [phone, email].filter((way) => way !== "").join(", ") })].filter((part) => part !== "").join(" "), 20);
  };
  return (
    <>
      <p className="ms-third ms-caption">{t("registrationsText")}</p>
      <PageState state={asked}>
        {({ items, total }) => (
          <div className="ms-panel ms-grid-place">
            <Grid
              label={t("registrationsLabel")}
              columns={columns}
              rows={items}
              total={total}
              rowKey={({ id }) => id}
              onOpen={setShown}
              phone={({ company, state, made, created_ms }) => (
                <span className="ms-grid-two ms-no-pad">
                  <span className="ms-bold ms-cut">{company}</span>
                  <span className="ms-second ms-caption">
                    {t(state, { made })} · {time(created_ms)}
                  </span>
                </span>
              )}
              empty={<Empty title={t("noRegistrations")} />}
            />
          </div>
        )}
      </PageState>
      {shown && verb === null ? <Detail asked={shown} onClose={() => setShown(null)} onDecide={setVerb} /> : null}
      {shown && verb ? <Decision verb={verb} asked={shown} onClose={() => setVerb(null)} onDone={done} /> : null}
      <LinkDialog link={decided?.link ?? null} note={decided?.mail_error ? t("mailFailed", { reason: say(decided.mail_error) }) : ""} onClose={() => setDecided(null)} />
    </>
  );
}
