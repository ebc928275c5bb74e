import { useState } from "react";
import { Link, useNavigate } from "react-router";
import { App, Button, Drawer, Dropdown } from "antd";
import { api } from "../api";
import { PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { ageText } from "../format/time";
import { live } from "../live";
import { usePhone } from "../media";
import { useSession, useZone } from "../session";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { Checks, useTest } from "./Checks";
import { rateText, roundTripText } from "./ConnectionList";
import { ConnectionTags } from "./ConnectionTags";
import { addressText } from "./schema";
import { StateMark } from "./StateMark";
import { TemplateDrawer } from "./TemplateDrawer";
import type { Connection, Driver } from "./types";
import { useConnection, useDrivers, useDriverTitle } from "./use-connections";

function HealthPanel({ connection }: { connection: Connection }) {
  const t = useWords(connectWords);
  const say = useSay();
  const zone = useZone();
  const { health } = connection;
  const reports = health.state !== "disabled" && health.state !== "unknown";
  const figures: [string, string][] = [
    [t("valuesRate"), rateText(health.samples_per_s)],
    [t("requestsRate"), rateText(health.requests_per_s)],
    [t("errorsRate"), rateText(health.errors_per_min)],
    [t("roundTrip"), roundTripText(health)],
    [t("lastValue"), health.last_sample_ms === null ? "–" : ageText(health.last_sample_ms, live.now(), zone)],
    [t("tagsBad"), t("badOf", { bad: health.tags_bad, n: connection.tag_count })],
  ];
  const trouble = say(health.text) || (health.state === "unknown" ? t("unknownText") : "");
  return (
    <section className="ms-panel" aria-label={t("health")}>
      <dl className="ms-health">
        <div>
          <dt>{t("state")}</dt>
          <dd>
            <StateMark state={health.state} />
            {health.since_ms === null ? null : <span className="ms-third ms-caption ms-num ms-since">{t("since", { time: ageSince(health.since_ms, zone) })}</span>}
          </dd>
        </div>
        {figures.map(([title, text]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd className="ms-num">{reports ? text : "–"}</dd>
          </div>
        ))}
      </dl>
      {trouble ? <p className="ms-connection-trouble">{trouble}</p> : null}
      {health.refused.length > 0 ? (
        <div className="ms-panel-body">
          <h3>{t("refusedTitle")}</h3>
          <ul className="ms-refused">
            {health.refused.map(({ text, count }, index) => (
              <li key={index}>
                <span className="ms-num ms-bold">{t("refusedTimes", { n: count })}</span> {say(text)}
              </li>
            ))}
          </ul>
        </div>
      ) : null}
    </section>
  );
}

function ageSince(ms: number, zone: ReturnType<typeof useZone>): string {
  return zone.date(ms) === zone.date(live.now()) ? zone.time(ms) : zone.full(ms).slice(0, 16);
}

function TestDrawer({ connection, driver, onClose }: { connection: Connection; driver: Driver | undefined; onClose: () => void }) {
  const t = useWords(connectWords);
  const test = useTest();
  const run = () => test.run({ driver: connection.driver, settings: connection.settings, gateway: connection.gateway, id: connection.id });
  return (
    <Drawer open title={t("testTitle", { name: connection.name })} size={560} onClose={onClose} afterOpenChange={(open) => open && run()}>
      <Checks test={test} driver={driver} settings={connection.settings} onAgain={run} />
    </Drawer>
  );
}

function useDeeds(connection: Connection, reload: () => void) {
  const t = useWords(connectWords);
  const failed = useFailed();
  const navigate = useNavigate();
  const { modal, message } = App.useApp();
  const { id, name, version, tag_count: n } = connection;
  const turn = (enabled: boolean) =>
    api
      .patch(`/connections/${id}`, { enabled, version })
      .then(() => message.success(t(enabled ? "nowEnabled" : "nowDisabled", { name }), 6), failed)
      .then(reload);
  const toggle = () => {
    if (!connection.enabled) void turn(true);
    else void modal.confirm({ title: t("disableSure", { name }), content: t("disableText", { n }), okText: t("disable"), cancelText: t("cancel"), onOk: () => turn(false) });
  };
  const remove = () => {
    if (n > 0) {
      void modal.info({ title: t("deleteSure", { name }), content: t("deleteBlocked", { n, name }), okText: t("close") });
      return;
    }
    const done = () => {
      message.success(t("deleted", { name }), 6);
      void navigate("/connect");
    };
    void modal.confirm({ title: t("deleteSure", { name }), content: t("deleteText"), autoFocusButton: "cancel", okText: t("remove"), cancelText: t("cancel"), onOk: () => api.delete(`/connections/${id}`).then(done, failed) });
  };
  return { toggle, remove };
}

function Actions({ connection, driver, reload }: { connection: Connection; driver: Driver | undefined; reload: () => void }) {
  const t = useWords(connectWords);
  const navigate = useNavigate();
  const phone = usePhone();
  const [testing, setTesting] = useState(false);
  const [keeping, setKeeping] = useState(false);
  const { toggle, remove } = useDeeds(connection, reload);
  const items = [
    { key: "template", label: t("saveTemplate"), disabled: connection.tag_count === 0, onClick: () => setKeeping(true) },
    { key: "toggle", label: t(connection.enabled ? "disable" : "enable"), onClick: toggle },
    { key: "remove", label: t("remove"), onClick: remove },
  ];
  return (
    <div className="ms-actions">
      <Button onClick={() => setTesting(true)}>{t("test")}</Button>
      {phone ? null : <Button onClick={() => void navigate(`/connect/${connection.id}/edit`)}>{t("edit")}</Button>}
      <Dropdown trigger={["click"]} placement="bottomRight" menu={{ items }}>
        <Button aria-haspopup="menu">{t("more")}</Button>
      </Dropdown>
      {testing ? <TestDrawer connection={connection} driver={driver} onClose={() => setTesting(false)} /> : null}
      {keeping ? <TemplateDrawer connection={connection} onClose={() => setKeeping(false)} /> : null}
    </div>
  );
}

/** One connection: how it is, and what it reads. */
export function ConnectionView({ id }: { id: string }) {
  const t = useWords(connectWords);
  const { may } = useSession();
  const connection = useConnection(id);
  const drivers = useDrivers();
  const title = useDriverTitle(drivers.value);
  const driverOf = ({ driver }: Connection) => drivers.value?.find(({ name }) => name === driver);
  return (
    <div className="ms-page ms-page-full">
      <nav className="ms-crumbs">
        <Link to="/connect">{t("backToList")}</Link>
      </nav>
      <PageState state={connection} rows={8}>
        {(value) => (
          <>
            <div className="ms-title">
              <div className="ms-grow">
                <h1>{value.name}</h1>
                <p className="ms-second">
                  {title(value.driver)} · {addressText(value.settings) ? <><span className="ms-code">{addressText(value.settings)}</span> · </> : null}{t("gateway")} {value.gateway}
                  {value.replayed ? (
                    <span title={t("replayedText")}>
                      {" "}
                      · <span aria-hidden="true">↻</span> {t("demoPlant")}
                    </span>
                  ) : null}
                </p>
              </div>
              {may("engineer") ? <Actions connection={value} driver={driverOf(value)} reload={connection.reload} /> : null}
            </div>
            <HealthPanel connection={value} />
            <ConnectionTags connection={value} polled={driverOf(value)?.subscribes === false} />
          </>
        )}
      </PageState>
    </div>
  );
}
