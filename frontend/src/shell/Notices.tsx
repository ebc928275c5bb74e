import { useState } from "react";
import { Alert, App, Button, Checkbox, Form, Input, Popconfirm, Select, Typography } from "antd";
import { api } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { PageState } from "../components/PageState";
import { AssetSelect, type ChosenAsset } from "../connect/AssetSelect";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSession } from "../session";
import { PRIORITIES, type Priority } from "../theme/tokens";
import { useSay, useWords } from "../words";
import { noticesWords } from "../words/notices";
import { CHANGED, type Subscription, type Subscriptions } from "./page-notices";

const CHANNELS = ["mail", "page", "webhook"] as const;
const TRANSITIONS = ["raised", "cleared", "acknowledged"] as const;
const GATHERED_S = [0, 10, 60, 300, 900];

interface Draft {
  channel: Subscription["channel"];
  target?: string;
  priorities: Priority[];
  transitions: string[];
  gather_s: number;
}

/** Whether this browser may show notifications, and the button that asks for it. */
function Permission() {
  const t = useWords(noticesWords);
  const [permission, setPermission] = useState(typeof Notification === "undefined" ? "unsupported" : Notification.permission);
  const ask = async () => {
    setPermission(await Notification.requestPermission());
    window.dispatchEvent(new Event(CHANGED));
  };
  if (permission === "granted") return null;
  if (permission === "default") return <Button onClick={ask}>{t("allow")}</Button>;
  return <Alert type="warning" title={t(permission === "denied" ? "blocked" : "unsupported")} />;
}

/** What a subscription without an area is about: the plant as far as its person sees it. */
function useWhole(): string {
  const t = useWords(noticesWords);
  const { may } = useSession();
  return t(may("viewer") ? "wholePlant" : "allYouSee");
}

/** One subscription of the list: what it is about, how it went, and what can be done with it. */
function Row({ subscription, reload }: { subscription: Subscription; reload: () => void }) {
  const t = useWords(noticesWords);
  const say = useSay();
  const failed = useFailed();
  const { message } = App.useApp();
  const { zone } = useSession();
  const whole = useWhole();
  const { id, channel, target, area, priorities, enabled, fault, version } = subscription;
  const change = (fields: object) => api.patch(`/subscriptions/${id}`, { ...fields, version }).catch(failed).then(reload);
  const attempt = () => api.post(`/subscriptions/${id}/try`).then(() => message.success(t("attempted")), failed);
  return (
    <li className="ms-pad">
      <div className="ms-row">
        <span className="ms-grow ms-cut">
          <span className="ms-bold">{target || t(channel)}</span>{" "}
          <span className="ms-second">
            {area ? say(area.name) : whole}
            {enabled ? "" : ` · ${t("paused")}`}
          </span>
        </span>
        {priorities.map((priority) => (
          <AlarmSign key={priority} priority={priority} state="active-acknowledged" size={16} />
        ))}
      </div>
      {fault ? <p className="ms-trouble ms-caption">{say(fault)}</p> : null}
      <div className="ms-row">
        <span className="ms-grow ms-third ms-caption ms-num">{subscription.sent_ms === null ? "" : t("last", { time: zone.full(subscription.sent_ms) })}</span>
        {channel === "page" ? null : (
          <Button size="small" onClick={attempt}>
            {t("attempt")}
          </Button>
        )}
        <Button size="small" onClick={() => change({ enabled: !enabled })}>
          {t(enabled ? "pause" : "resume")}
        </Button>
        <Popconfirm title={target || t(channel)} okText={t("remove")} cancelText={t("cancel")} cancelButtonProps={{ autoFocus: true }} destroyOnHidden onConfirm={() => api.delete(`/subscriptions/${id}`).then(reload, failed)}>
          <Button size="small">{t("remove")}</Button>
        </Popconfirm>
      </div>
    </li>
  );
}

/** How to subscribe: by a way that works here, to begin with. */
function Subscribe({ mail, hosts, onMade }: { mail: boolean; hosts: readonly string[]; onMade: (secret: string) => void }) {
  const t = useWords(noticesWords);
  const failed = useFailed();
  const { may } = useSession();
  const [form] = Form.useForm<Draft>();
  // Low alarms are four of five where priorities are well set, and diagnostic ones are for maintenance: both wait for the list.
  const initial: Draft = { channel: mail ? "mail" : "page", priorities: ["critical", "high", "medium"], transitions: ["raised"], gather_s: 10 };
  const channel = Form.useWatch("channel", form) ?? initial.channel;
  const [area, setArea] = useState<ChosenAsset | null>(null);
  const whole = useWhole();
  const create = async (draft: Draft) => {
    try {
      const made = await api.post<{ secret: string }>("/subscriptions", { ...draft, asset: area?.id ?? null });
      form.resetFields(["target"]);
      onMade(made.secret);
    } catch (error) {
      failed(error);
    }
  };
  const missing = channel === "mail" ? !mail : channel === "webhook" && hosts.length === 0;
  const channels = CHANNELS.filter((each) => each !== "webhook" || may("engineer"));
  // Not `required`: antd would put aria-required on a group of boxes, where it means nothing.
  const someChosen = {
    validator: (_rule: unknown, chosen: readonly string[]) => (chosen.length > 0 ? Promise.resolve() : Promise.reject(new Error(t("required")))),
  };
  return (
    <Form form={form} layout="vertical" requiredMark={false} onFinish={create} initialValues={initial}>
      <Form.Item name="channel" label={t("channel")}>
        <Select options={channels.map((value) => ({ value, label: t(value) }))} />
      </Form.Item>
      {missing ? <Alert type="warning" className="ms-gap-bottom" title={t(channel === "mail" ? "noMail" : "noHooks")} /> : null}
      {channel === "page" ? (
        <div className="ms-gap-bottom">
          <Permission />
        </div>
      ) : (
        <Form.Item
          name="target"
          label={t(channel === "mail" ? "mailAddress" : "hookAddress")}
          extra={channel === "webhook" && hosts.length > 0 ? t("hosts", { hosts: hosts.join(", ") }) : null}
          rules={[{ required: true, message: t("required") }]}
        >
          <Input maxLength={500} autoComplete={channel === "mail" ? "email" : "off"} inputMode={channel === "mail" ? "email" : "url"} />
        </Form.Item>
      )}
      <Form.Item label={t("area")} htmlFor="notice-area" extra={area === null ? whole : <Button size="small" onClick={() => setArea(null)}>{whole}</Button>}>
        <AssetSelect id="notice-area" value={area} onChange={setArea} invalid={false} />
      </Form.Item>
      <Form.Item name="priorities" label={t("priorities")} rules={[someChosen]}>
        <Checkbox.Group options={PRIORITIES.map((value) => ({ value, label: t(value) }))} />
      </Form.Item>
      <Form.Item name="transitions" label={t("transitions")} rules={[someChosen]}>
        <Checkbox.Group options={TRANSITIONS.map((value) => ({ value, label: t(value) }))} />
      </Form.Item>
      {channel === "page" ? null : (
        <Form.Item name="gather_s" label={t("gather")}>
          <Select options={GATHERED_S.map((value) => ({ value, label: t("seconds", { n: value }) }))} />
        </Form.Item>
      )}
      <Button type="primary" htmlType="submit" disabled={missing}>
        {t("add")}
      </Button>
    </Form>
  );
}

/** The person's own subscriptions to alarms. */
export function Notices() {
  const t = useWords(noticesWords);
  const [secret, setSecret] = useState("");
  const found = useResource("subscriptions", (signal) => api.get<Subscriptions>("/subscriptions", {}, signal));
  const reload = () => {
    found.reload();
    window.dispatchEvent(new Event(CHANGED));
  };
  const made = (secret: string) => {
    setSecret(secret);
    reload();
  };
  return (
    <div className="ms-stack">
      <p className="ms-second">{t("what")}</p>
      {secret ? (
        <Alert
          type="info"
          title={t("secretOnce")}
          description={
            <Typography.Text copyable className="ms-code">
              {secret}
            </Typography.Text>
          }
        />
      ) : null}
      <PageState state={found} rows={3}>
        {({ items, mail, webhook_hosts }) => (
          <>
            <Subscribe mail={mail} hosts={webhook_hosts} onMade={made} />
            {items.length === 0 ? (
              <p className="ms-third">{t("none")}</p>
            ) : (
              <ul className="ms-list">
                {items.map((subscription) => (
                  <Row key={subscription.id} subscription={subscription} reload={reload} />
                ))}
              </ul>
            )}
          </>
        )}
      </PageState>
    </div>
  );
}
