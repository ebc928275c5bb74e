import { useNavigate } from "react-router";
import { App, Button } from "antd";
import { api, download, request } from "../api";
import { PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import type { Page } from "../types";
import { useSay, useWords } from "../words";
import { deviceWords } from "../words/devices";
import { ConnectTabs } from "./ConnectTabs";
import { FileButton } from "./FileButton";
import type { Template } from "./types";

/** Device templates: those that come with the product and the company's own. */
export function TemplatesPage() {
  const t = useWords(deviceWords);
  const say = useSay();
  const failed = useFailed();
  const navigate = useNavigate();
  const { modal, message } = App.useApp();
  const templates = useResource("templates", (signal) => api.get<Page<Template>>("/templates", {}, signal));
  const upload = async (file: File) => {
    try {
      const kept = (await (await request("POST", "/templates", { file })).json()) as Template;
      message.success(t("uploaded", { name: kept.name }), 6);
      templates.reload();
    } catch (error) {
      failed(error);
    }
  };
  const remove = ({ name }: Template) =>
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
        {({ items }) => (
          <section className="ms-panel ms-scroll">
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
                    <td>{template.installed ? template.driver : `${template.driver} (${t("notInstalled")})`}</td>
                    <td className="ms-num ms-grid-end">{template.tags}</td>
                    <td>{t(template.own ? "own" : "shipped")}</td>
                    <td>
                      <span className="ms-row">
                        <Button size="small" disabled={!template.installed} onClick={() => void navigate("/connect/new")}>
                          {t("use")}
                        </Button>
                        <Button size="small" onClick={() => void download("GET", `/templates/${template.name}`, {}, `${template.name}.toml`).catch(failed)}>
                          {t("download")}
                        </Button>
                        {template.own ? (
                          <Button size="small" onClick={() => remove(template)}>
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
