import { useNavigate } from "react-router";
import { Alert, App, Button } from "antd";
import { api, download, request } from "../api";
import { PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSay, useWords } from "../words";
import { deviceWords } from "../words/devices";
import { ConnectTabs } from "./ConnectTabs";
import { FileButton } from "./FileButton";
import type { Template, TemplateList } from "./types";
import { useDrivers, useDriverTitle } from "./use-connections";

/** Device templates: those that come with the product and the company's own. */
export function TemplatesPage() {
  const t = useWords(deviceWords);
  const say = useSay();
  const failed = useFailed();
  const navigate = useNavigate();
  const { modal, message } = App.useApp();
  const title = useDriverTitle(useDrivers().value);
  const templates = useResource("templates", (signal) => api.get<TemplateList>("/templates", {}, signal));
  const upload = async (file: File) => {
    try {
      const kept = (await (await request("POST", "/templates", { file })).json()) as Template;
      message.success(t("uploaded", { name: kept.name }), 6);
      templates.reload();
    } catch (error) {
      failed(error);
    }
  };
  const save = (name: string) => void download("GET", `/templates/${name}`, {}, `${name}.toml`).catch(failed);
  const remove = (name: string) =>
    void modal.confirm({ title: t("deleteSure", { name }), content: t("deleteText"), okText: t("remove"), cancelText: t("cancel"), autoFocusButton: "cancel", onOk: () => api.delete(`/templates/${name}`).then(templates.reload, failed) });
  return (
    <div className="ms-page">
      <div className="ms-title">
        <h1 className="ms-grow">{t("templates")}</h1>
        <FileButton accept=".toml" onFile={(file) => void upload(file)}>
          {t("upload")}
        </FileButton>
      </div>
      <ConnectTabs />
      <p className="ms-second">{t("templatesText")}</p>
      <PageState state={templates} rows={5}>
        {({ items, damaged }) => (
          <section className="ms-panel ms-scroll">
            {damaged.length ? (
              <Alert
                type="error"
                title={t("damaged", { n: damaged.length })}
                description={
                  <ul className="ms-fault-list">
                    {damaged.map(({ name, text }) => (
                      <li key={name}>
                        <span className="ms-code">{name}.toml</span> {say(text)}{" "}
                        <Button size="small" onClick={() => save(name)}>
                          {t("download")}
                        </Button>{" "}
                        <Button size="small" onClick={() => remove(name)}>
                          {t("remove")}
                        </Button>
                      </li>
                    ))}
                  </ul>
                }
              />
            ) : null}
            <table className="ms-table ms-templates">
              <thead>
                <tr>
                  <th scope="col">{t("name")}</th>
                  <th scope="col">{t("driver")}</th>
                  <th scope="col" className="ms-grid-end">{t("tags")}</th>
                  <th scope="col">{t("origin")}</th>
                  <th scope="col" aria-label={t("more")} />
                </tr>
              </thead>
              <tbody>
                {items.map((template) => (
                  <tr key={template.name}>
                    <td>
                      <span className="ms-bold">{say(template.title)}</span> <span className="ms-code ms-third">{template.name}</span>
                      <span className="ms-block ms-caption ms-second">{say(template.description)}</span>
                      {template.source ? <span className="ms-block ms-caption ms-third">{template.source}</span> : null}
                    </td>
                    <td>{template.installed ? title(template.driver) : `${template.driver} (${t("notInstalled")})`}</td>
                    <td className="ms-num ms-grid-end">{template.tags}</td>
                    <td>{t(template.own ? "own" : "shipped")}</td>
                    <td>
                      <span className="ms-row">
                        <Button size="small" disabled={!template.installed} onClick={() => void navigate("/connect/new")}>
                          {t("use")}
                        </Button>
                        <Button size="small" onClick={() => save(template.name)}>
                          {t("download")}
                        </Button>
                        {template.own ? (
                          <Button size="small" onClick={() => remove(template.name)}>
                            {t("remove")}
                          </Button>
                        ) : null}
                      </span>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
        )}
      </PageState>
    </div>
  );
}
