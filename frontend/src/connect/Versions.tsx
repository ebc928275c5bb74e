import { App, Button } from "antd";
import { api } from "../api";
import { PageState } from "../components/PageState";
import { useFailed } from "../failed";
import type { useResource } from "../resource";
import { useWords } from "../words";
import { gatewayWords } from "../words/gateways";
import type { Software } from "./GatewaysPage";

const UNDO_S = 10;
const BYTES_PER_MB = 2 ** 20;

/** The versions that can be released; one that no gateway needs can be removed, and for a while restored. */
export function Versions({ state, removable }: { state: ReturnType<typeof useResource<Software[]>>; removable: boolean }) {
  const t = useWords(gatewayWords);
  const failed = useFailed();
  const { modal, message } = App.useApp();
  const restore = ({ sha256 }: Software) => {
    message.destroy(sha256);
    void api.post(`/gateways/software/${sha256}/restore`).then(state.reload, failed);
  };
  const removed = (version: Software) => {
    state.reload();
    const content = (
      <>
        {t("removed", { version: version.program_version })}{" "}
        <Button type="link" size="small" onClick={() => restore(version)}>
          {t("undo")}
        </Button>
      </>
    );
    void message.success({ key: version.sha256, duration: UNDO_S, content });
  };
  const remove = (version: Software) =>
    void modal.confirm({
      title: t("removeSure", { version: version.program_version }), content: t("removeText"), okText: t("remove"), cancelText: t("cancel"), autoFocusButton: "cancel",
      onOk: () => api.delete(`/gateways/software/${version.sha256}`).then(() => removed(version), failed),
    });
  return (
    <section className="ms-stack">
      <h2>{t("versions")}</h2>
      <PageState state={state} rows={1}>
        {(items) =>
          items.length === 0 ? (
            <p className="ms-third">{t("versionsNone")}</p>
          ) : (
            <ul className="ms-list">
              {items.map((version) => (
                <li key={version.sha256} className="ms-pad ms-row">
                  <span className="ms-bold ms-num">{version.program_version}</span>
                  <span className="ms-second ms-num">{t("sizeOf", { mb: (version.size / BYTES_PER_MB).toFixed(1) })}</span>
                  <span className="ms-grow ms-code ms-cut ms-third">{version.sha256}</span>
                  {removable ? (
                    <Button size="small" onClick={() => remove(version)}>
                      {t("remove")}
                    </Button>
                  ) : null}
                </li>
              ))}
            </ul>
          )
        }
      </PageState>
    </section>
  );
}
