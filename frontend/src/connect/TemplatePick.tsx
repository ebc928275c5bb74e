import { useState } from "react";
import { Button, Form, Input } from "antd";
import { api, ApiError } from "../api";
import { useResource } from "../resource";
import type { Page } from "../types";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import type { AppliedTemplate, Template } from "./types";

/** Begin from a template: what kind of device it is, and what differs for this one. */
export function TemplatePick({ onApply }: { onApply: (template: Template, applied: AppliedTemplate) => void }) {
  const t = useWords(connectWords);
  const say = useSay();
  const templates = useResource("templates", (signal) => api.get<Page<Template>>("/templates", {}, signal));
  const [chosen, setChosen] = useState<Template | null>(null);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const [form] = Form.useForm<Record<string, string>>();
  const items = templates.value?.items.filter(({ installed }) => installed) ?? [];
  if (items.length === 0) return null;
  const apply = async (parameters: Record<string, string>) => {
    if (!chosen) return;
    setBusy(true);
    setProblem("");
    try {
      const given = Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined && value !== ""));
      onApply(chosen, await api.post<AppliedTemplate>(`/templates/${chosen.name}/apply`, { parameters: given }));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const ofForm = Object.entries(error.fields).filter(([path]) => path.startsWith("parameters."));
      form.setFields(ofForm.map(([path, text]) => ({ name: path.slice("parameters.".length), errors: [say(text)] })));
      if (ofForm.length === 0) setProblem(say(error.text));
    } finally {
      setBusy(false);
    }
  };
  return (
    <section className="ms-stack" aria-label={t("fromTemplate")}>
      <h2>{t("fromTemplate")}</h2>
      <div className="ms-protocols">
        {items.map((template) => (
          <button key={template.name} type="button" className="ms-plain ms-protocol" aria-pressed={template.name === chosen?.name} onClick={() => setChosen(template)}>
            <span className="ms-bold">{say(template.title)}</span>
            <span className="ms-second ms-caption ms-block">{say(template.description)}</span>
            <span className="ms-third ms-caption ms-block">{t("tagsHere", { n: template.tags })}</span>
          </button>
        ))}
      </div>
      {chosen ? (
        <Form key={chosen.name} form={form} layout="vertical" className="ms-panel ms-panel-body" onFinish={(given) => void apply(given)} initialValues={Object.fromEntries(chosen.parameters.map(({ key, default: found }) => [key, found ?? ""]))}>
          {chosen.source ? <p className="ms-third ms-caption">{t("templateSource", { source: chosen.source })}</p> : null}
          {chosen.parameters.map(({ key, title, kind }) => (
            <Form.Item key={key} name={key} label={say(title)}>
              <Input autoComplete="off" inputMode={kind === "whole" ? "numeric" : "text"} />
            </Form.Item>
          ))}
          {problem ? <p className="ms-fault" role="alert">{problem}</p> : null}
          <Button htmlType="submit" loading={busy}>
            {t("applyTemplate")}
          </Button>
        </Form>
      ) : null}
    </section>
  );
}
