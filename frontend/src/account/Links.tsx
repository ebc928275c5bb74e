import { App, Button, Popconfirm } from "antd";
import { api, urlOf } from "../api";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSession, useZone } from "../session";
import { useSay, useWords } from "../words";
import { accountWords } from "../words/account";
import { Unconfirmed, useConfirmed } from "./confirm";
import { leaveFor, type Provider } from "./returned";

interface Link {
  issuer: string;
  linked_ms: number;
  used_ms: number;
}

/** Where else the person signs in; nothing where the company has no provider. */
export function Links() {
  const t = useWords(accountWords);
  const say = useSay();
  const zone = useZone();
  const failed = useFailed();
  const { message } = App.useApp();
  const { person } = useSession();
  const { run, dialog } = useConfirmed(["password", "code", "passkey"]);
  const providers = useResource(person.tenant, (signal) => api.get<Provider[]>("/session/providers", { tenant: person.tenant }, signal));
  const links = useResource("links", (signal) => api.get<Link[]>("/session/links", {}, signal));
  if (!providers.value?.length && !links.value?.length) return null;
  const nameOf = (link: Link) => say(providers.value?.find(({ issuer }) => issuer === link.issuer)?.name) || link.issuer;
  const free = (providers.value ?? []).filter(({ issuer }) => !links.value?.some((link) => link.issuer === issuer));
  const does = (work: () => Promise<void>) =>
    void run(work)
      .catch((error: unknown) => (error instanceof Unconfirmed ? undefined : failed(error)))
      .finally(links.reload);
  const unlink = (issuer: string) =>
    does(async () => {
      await api.delete(urlOf("/session/links", { issuer }).replace("/api/v1", ""));
      message.success(t("factorRemoved"));
    });
  const date = (ms: number) => zone.full(ms).slice(0, 16);
  return (
    <section className="ms-panel ms-account-part">
      <h3>{t("links")}</h3>
      <p className="ms-second">{t("linksText")}</p>
      <ul className="ms-list">
        {(links.value ?? []).map((link) => (
          <li key={link.issuer} className="ms-row ms-pad">
            <span className="ms-grow">
              <span className="ms-bold">{nameOf(link)}</span>
              <br />
              <span className="ms-third ms-caption ms-num">{t("linkedSince", { date: date(link.linked_ms), used: date(link.used_ms) })}</span>
            </span>
            <Popconfirm title={nameOf(link)} okText={t("unlink")} cancelText={t("cancel")} destroyOnHidden onConfirm={() => unlink(link.issuer)}>
              <Button size="small">{t("unlink")}</Button>
            </Popconfirm>
          </li>
        ))}
      </ul>
      <div className="ms-actions">
        {free.map(({ provider, name }) => (
          <Button key={provider} onClick={() => does(() => leaveFor("/session/links", provider))}>
            {t("link", { name: say(name) })}
          </Button>
        ))}
      </div>
      {dialog}
    </section>
  );
}
