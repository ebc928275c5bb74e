import { useState } from "react";
import { App, Button, Drawer, Form, Input } from "antd";
import { api, reasonOf } from "../api";
import { useAskFirst } from "../components/ask-first";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import type { Connection, Template } from "./types";

const SHORT = /^[a-z0-9][a-z0-9-]{0,63}$/;

/** Keep what a connection reads as a template for the next device of its kind. */
export function TemplateDrawer({ connection, onClose }: { connection: Connection; onClose: () => void }) {
  const t = useWords(connectWords);
  const say = useSay();
  const { message } = App.useApp();
  const { setChanged, leave } = useAskFirst(onClose);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState("");
  const keep = async ({ name, title }: { name: string; title: string }) => {
    setBusy(true);
    try {
      const kept = await api.post<Template>("/templates/from-connection", { connection: connection.id, name, title: { en: title, zh: title } });
      message.success(t("templateSaved", { name: kept.name }), 6);
      onClose();
    } catch (error) {
      setProblem(say(reasonOf(error)));
    } finally {
      setBusy(false);
    }
  };
  return (
    <Drawer open title={t("saveTemplate")} size={480} onClose={leave}>
      <Form onValuesChange={() => setChanged(true)} layout="vertical" initialValues={{ title: connection.name }} onFinish={(entered: { name: string; title: string }) => void keep(entered)}>
        <Form.Item name="name" label={t("templateName")} extra={t("templateNameHint")} rules={[{ required: true, pattern: SHORT, message: t("templateNameHint") }]}>
          <Input className="ms-code" autoComplete="off" maxLength={64} />
        </Form.Item>
        <Form.Item name="title" label={t("templateTitle")} rules={[{ required: true, message: t("required") }]}>
          <Input maxLength={200} />
        </Form.Item>
        {problem ? <p className="ms-fault" role="alert">{problem}</p> : null}
        <Button type="primary" htmlType="submit" loading={busy}>
          {t("saveTemplate")}
        </Button>
      </Form>
    </Drawer>
  );
}
