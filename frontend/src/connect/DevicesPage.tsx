import { useState } from "react";
import { App, Button, Input } from "antd";
import { api } from "../api";
import { type Column, Grid } from "../components/Grid";
import { Empty, NoneMatch, PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useZone } from "../session";
import type { Page } from "../types";
import { useWords } from "../words";
import { deviceWords } from "../words/devices";
import { ConnectTabs } from "./ConnectTabs";
import { IssueDrawer } from "./IssueDrawer";
import { type Issued, SecretDrawer } from "./SecretDrawer";

const LIMIT = 1000;

export interface Device {
  id: string;
  name: string;
  gateway: string;
  publish: string[];
  subscribe: string[];
  issued_ms: number;
  expires_ms: number | null;
  last_seen_ms?: number | null;
}

/** Devices with a credential of their own: issue, renew, revoke. */
export function DevicesPage() {
  const t = useWords(deviceWords);
  const zone = useZone();
  const failed = useFailed();
  const { modal, message } = App.useApp();
  const [text, setText] = useState("");
  const [issuing, setIssuing] = useState<"one" | "many" | null>(null);
  const [issued, setIssued] = useState<Issued | null>(null);
  const devices = useResource("devices", (signal) => api.get<Page<Device>>("/devices", { limit: LIMIT }, signal));
  const time = (ms: number | null | undefined, none: string) => (ms ? zone.full(ms).slice(0, 16) : none);
  const rotate = ({ id, name }: Device) =>
    void modal.confirm({
      title: t("rotateSure", { name }), content: t("rotateText"), okText: t("rotate"), cancelText: t("cancel"), autoFocusButton: "cancel",
      onOk: () => api.post<Issued>(`/devices/${id}/rotate`).then(setIssued, failed),
    });
  const revoke = ({ id, name }: Device) =>
    void modal.confirm({
      title: t("revokeSure", { name }), content: t("revokeText"), okText: t("revoke"), cancelText: t("cancel"), autoFocusButton: "cancel",
      onOk: () =>
        api.delete(`/devices/${id}`).then(() => {
          message.success(t("revoked", { name }), 6);
          devices.reload();
        }, failed),
    });
  const deeds = (device: Device) => (
    <span className="ms-row">
      <Button size="small" onClick={() => rotate(device)}>
        {t("rotate")}
      </Button>
      <Button size="small" onClick={() => revoke(device)}>
        {t("revoke")}
      </Button>
    </span>
  );
  // A server that does not say when a device was seen must not read as "never".
  const seen = devices.value?.items.some(({ last_seen_ms }) => last_seen_ms !== undefined) ?? false;
  const columns: Column<Device>[] = [
    { key: "name", title: t("name"), width: "minmax(140px, 1fr)", cell: ({ name }) => <span className="ms-bold">{name}</span> },
    { key: "gateway", title: t("gateway"), width: "100px", cell: ({ gateway }) => gateway },
    { key: "publish", title: t("publish"), width: "minmax(200px, 2fr)", cell: ({ publish }) => <span className="ms-code" title={publish.join("\n")}>{publish.join(", ")}</span> },
    { key: "issued", title: t("issued"), width: "140px", cell: ({ issued_ms }) => <span className="ms-num ms-third">{time(issued_ms, "–")}</span> },
    ...(seen ? [{ key: "seen", title: t("lastSeen"), width: "140px", cell: ({ last_seen_ms }: Device) => <span className="ms-num ms-third">{time(last_seen_ms, t("never"))}</span> }] : []),
    { key: "expires", title: t("expires"), width: "140px", cell: ({ expires_ms }) => <span className="ms-num ms-third">{time(expires_ms, t("noEnd"))}</span> },
    { key: "deeds", title: "", width: "200px", cell: deeds },
  ];
  const add = (
    <>
      <Button onClick={() => setIssuing("many")}>{t("issueMany")}</Button>
      <Button type="primary" onClick={() => setIssuing("one")}>
        {t("issue")}
      </Button>
    </>
  );
  const search = text.trim().toLowerCase();
  return (
    <div className="ms-page ms-page-full">
      <div className="ms-title">
        <h1>{t("devices")}</h1>
      </div>
      <ConnectTabs />
      <PageState state={devices} rows={5}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={t("emptyTitle")} text={t("emptyText")} action={add} />
          ) : (
            <>
              <div className="ms-filters">
                <Input allowClear value={text} onChange={(event) => setText(event.target.value)} placeholder={t("find")} aria-label={t("find")} />
                <span className="ms-grow" />
                {add}
              </div>
              <div className="ms-panel ms-grid-place">
                <Grid
                  label={t("devicesLabel")}
                  columns={columns}
                  rows={items.filter(({ name }) => name.toLowerCase().includes(search))}
                  rowKey={({ id }) => id}
                  phone={(device) => (
                    <>
                      <span className="ms-bold ms-cut">{device.name}</span>
                      {deeds(device)}
                    </>
                  )}
                  empty={<NoneMatch total={items.length} onClear={() => setText("")} />}
                />
              </div>
            </>
          )
        }
      </PageState>
      {issuing ? (
        <IssueDrawer
          many={issuing === "many"}
          onClose={() => setIssuing(null)}
          onIssued={(made) => {
            setIssuing(null);
            setIssued(made);
            devices.reload();
          }}
        />
      ) : null}
      {issued ? <SecretDrawer issued={issued} onClose={() => setIssued(null)} /> : null}
    </div>
  );
}
