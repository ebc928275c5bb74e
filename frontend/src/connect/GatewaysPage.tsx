import { useEffect, useState } from "react";
import { App, Button, Drawer, Form, Input } from "antd";
import { api } from "../api";
import { type Column, Grid } from "../components/Grid";
import { PageState } from "../components/PageState";
import { useAskFirst } from "../components/ask-first";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSession } from "../session";
import type { Page, Words } from "../types";
import { useSay, useWords } from "../words";
import { gatewayWords } from "../words/gateways";
import { ConnectTabs } from "./ConnectTabs";
import { ReleaseDrawer } from "./ReleaseDrawer";
import { Versions } from "./Versions";

export interface GatewayRow {
  id: string | null;
  name: string;
  local: boolean;
  state: "waiting" | "enrolled" | "revoked" | null;
  token_expires_ms: number | null;
  alive: boolean;
  degraded: Words | null;
  release: { version: string; active: number; trying: number | null; undone: number; text: Words | null } | null;
}
export interface Software {
  id: string;
  program_version: string;
  sha256: string;
  size: number;
}
interface Release {
  id: string;
  gateway: string;
  number: number;
  state: "waiting" | "released" | "active" | "undone" | "stopped" | "replaced";
  settings: Record<string, unknown>;
  software: string | null;
  text: Words | null;
  created_ms: number;
}
interface Announced {
  name: string;
  token: string;
}

const RELEASES = 50;
const RENEW_MS = 5000;

/** The token of a gateway, shown once, and what to do with it on its machine. */
function TokenDrawer({ announced, onClose }: { announced: Announced; onClose: () => void }) {
  const t = useWords(gatewayWords);
  const { message } = App.useApp();
  const lines = `pip install mainspring\nmainspring gateway --sample --url ${location.origin} > edge.toml\nMAINSPRING_GATEWAY_TOKEN=${announced.token} \\\n  mainspring gateway edge.toml`;
  const copy = (text: string) => void navigator.clipboard?.writeText(text).then(() => message.success(t("copied")));
  return (
    <Drawer open title={t("announced", { name: announced.name })} size={640} onClose={onClose} mask={{ closable: false }}>
      <div className="ms-stack">
        <p>{t("tokenOnce")}</p>
        <p className="ms-row">
          <code className="ms-code ms-secret">{announced.token}</code>
          <Button type="primary" onClick={() => copy(announced.token)}>
            {t("copy")}
          </Button>
        </p>
        <h2>{t("onMachine")}</h2>
        <pre className="ms-code ms-snippet">{lines}</pre>
        <div className="ms-actions">
          <Button onClick={() => copy(lines)}>{t("copy")}</Button>
        </div>
      </div>
    </Drawer>
  );
}

function AnnounceDrawer({ onClose, onAnnounced }: { onClose: () => void; onAnnounced: (made: Announced) => void }) {
  const t = useWords(gatewayWords);
  const failed = useFailed();
  const { setChanged, leave } = useAskFirst(onClose);
  return (
    <Drawer open title={t("announce")} size={400} onClose={leave}>
      <Form onValuesChange={() => setChanged(true)} layout="vertical" requiredMark={false} onFinish={({ name }: { name: string }) => api.post<Announced>("/gateways", { name }).then(onAnnounced, failed)}>
        <Form.Item name="name" label={t("name")} extra={t("announceText")} rules={[{ required: true, pattern: /^[a-z][a-z0-9-]{0,31}$/, message: t("announceText") }]}>
          <Input autoFocus autoComplete="off" spellCheck={false} maxLength={32} />
        </Form.Item>
        <Button type="primary" htmlType="submit">
          {t("announce")}
        </Button>
      </Form>
    </Drawer>
  );
}

/** What was released, newest first, and what became of it. */
function Releases({ names, state }: { names: Map<string | null, string>; state: ReturnType<typeof useResource<Page<Release>>> }) {
  const t = useWords(gatewayWords);
  const say = useSay();
  const { zone } = useSession();
  return (
    <section className="ms-stack">
      <h2>{t("releases")}</h2>
      <PageState state={state} rows={2}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="ms-third">{t("releasesNone")}</p>
          ) : (
            <ul className="ms-list">
              {items.map((release) => (
                <li key={release.id} className="ms-pad">
                  <span className="ms-row">
                    <span className="ms-bold">{names.get(release.gateway) ?? ""}</span>
                    <span className="ms-num">{release.number}</span>
                    <span className="ms-second">{t(release.state === "waiting" ? "waitingTurn" : release.state)}</span>
                    <span className="ms-grow ms-code ms-cut">
                      {Object.entries(release.settings)
                        .map(([name, value]) => `${name} = ${String(value)}`)
                        .join(", ")}
                    </span>
                    <span className="ms-third ms-caption ms-num">{zone.full(release.created_ms)}</span>
                  </span>
                  {release.text ? <p className="ms-trouble ms-caption">{say(release.text)}</p> : null}
                </li>
              ))}
            </ul>
          )
        }
      </PageState>
    </section>
  );
}

/** Gateways: which there are, how they are, what they run. */
export function GatewaysPage() {
  const t = useWords(gatewayWords);
  const say = useSay();
  const failed = useFailed();
  const { modal } = App.useApp();
  const { zone, may } = useSession();
  const [open, setOpen] = useState<"announce" | "release" | null>(null);
  const [announced, setAnnounced] = useState<Announced | null>(null);
  const gateways = useResource("gateways", (signal) => api.get<GatewayRow[]>("/gateways", {}, signal));
  const releases = useResource("releases", (signal) => api.get<Page<Release>>("/gateways/releases", { limit: RELEASES }, signal));
  const [administrator, engineer] = [may("administrator"), may("engineer")];
  const versions = useResource(engineer ? "software" : null, (signal) => api.get<Software[]>("/gateways/software", {}, signal));
  const { reload: renewGateways } = gateways;
  const { reload: renewReleases } = releases;
  useEffect(() => {
    // A gateway enrols and takes a release by itself: the page tells so without being asked again.
    const timer = setInterval(() => {
      if (document.hidden) return;
      renewGateways();
      renewReleases();
    }, RENEW_MS);
    return () => clearInterval(timer);
  }, [renewGateways, renewReleases]);
  const told = (made: Announced) => {
    setOpen(null);
    setAnnounced(made);
    gateways.reload();
  };
  const renew = ({ id, name }: GatewayRow) =>
    void modal.confirm({
      title: t("newTokenSure", { name }), content: t("newTokenText"), okText: t("newToken"), cancelText: t("cancel"), autoFocusButton: "cancel",
      onOk: () => api.post<Announced>(`/gateways/${id ?? ""}/token`).then(told, failed),
    });
  const revoke = ({ id, name }: GatewayRow) =>
    void modal.confirm({
      title: t("revokeSure", { name }), content: t("revokeText"), okText: t("revoke"), cancelText: t("cancel"), autoFocusButton: "cancel",
      onOk: () => api.delete(`/gateways/${id ?? ""}`).then(gateways.reload, failed),
    });
  const stateOf = (row: GatewayRow) => {
    if (row.state === "revoked") return t("revoked");
    if (row.state === "waiting") return t("waiting", { time: zone.full(row.token_expires_ms ?? 0).slice(0, 16) });
    return t(row.alive ? "alive" : "silent");
  };
  const runsOf = ({ release }: GatewayRow) => {
    if (release === null) return "";
    return release.trying === null ? t("release", { version: release.version, number: release.active }) : t("trying", { version: release.version, number: release.trying });
  };
  const deeds = (row: GatewayRow) =>
    row.local || row.id === null || !administrator ? null : (
      <span className="ms-row">
        <Button size="small" onClick={() => renew(row)}>
          {t("newToken")}
        </Button>
        {row.state === "revoked" ? null : (
          <Button size="small" onClick={() => revoke(row)}>
            {t("revoke")}
          </Button>
        )}
      </span>
    );
  const columns: Column<GatewayRow>[] = [
    { key: "name", title: t("name"), width: "minmax(120px, 1fr)", cell: ({ name }) => <span className="ms-bold">{name}</span> },
    { key: "place", title: t("place"), width: "160px", cell: ({ local }) => t(local ? "beside" : "elsewhere") },
    { key: "state", title: t("state"), width: "minmax(180px, 2fr)", cell: (row) => (row.degraded ? <span className="ms-trouble">{say(row.degraded)}</span> : stateOf(row)) },
    { key: "runs", title: t("runs"), width: "minmax(160px, 1fr)", cell: (row) => <span className="ms-num">{runsOf(row)}</span> },
    { key: "deeds", title: "", width: "200px", cell: deeds },
  ];
  return (
    <div className="ms-page ms-page-full">
      <div className="ms-title">
        <h1>{t("gateways")}</h1>
      </div>
      <ConnectTabs />
      <PageState state={gateways} rows={3}>
        {(rows) => {
          const far = rows.filter(({ local, id, state }) => !local && id !== null && state !== "revoked");
          return (
            <div className="ms-stack">
              <div className="ms-filters">
                <span className="ms-second">{t("what")}</span>
                <span className="ms-grow" />
                {administrator ? (
                  <>
                    {far.length === 0 ? <span className="ms-third">{t("noneFar")}</span> : null}
                    <Button disabled={far.length === 0} onClick={() => setOpen("release")}>
                      {t("makeRelease")}
                    </Button>
                    <Button type="primary" onClick={() => setOpen("announce")}>
                      {t("announce")}
                    </Button>
                  </>
                ) : null}
              </div>
              <div className="ms-panel ms-grid-place">
                <Grid
                  label={t("gatewaysLabel")}
                  columns={columns}
                  rows={rows}
                  rowKey={({ name }) => name}
                  phone={(row) => (
                    <>
                      <span className="ms-row">
                        <span className="ms-bold ms-grow ms-cut">{row.name}</span>
                        <span className="ms-second">{stateOf(row)}</span>
                      </span>
                      {deeds(row)}
                    </>
                  )}
                  empty={null}
                />
              </div>
              {engineer ? <Versions state={versions} removable={administrator} /> : null}
              <Releases names={new Map(rows.map(({ id, name }) => [id, name]))} state={releases} />
              {open === "release" ? (
                <ReleaseDrawer
                  gateways={far}
                  onClose={() => {
                    setOpen(null);
                    versions.reload();
                  }}
                  onReleased={() => {
                    setOpen(null);
                    releases.reload();
                    versions.reload();
                  }}
                />
              ) : null}
            </div>
          );
        }}
      </PageState>
      {open === "announce" ? <AnnounceDrawer onClose={() => setOpen(null)} onAnnounced={told} /> : null}
      {announced ? <TokenDrawer announced={announced} onClose={() => setAnnounced(null)} /> : null}
    </div>
  );
}
