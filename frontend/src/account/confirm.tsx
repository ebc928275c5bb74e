import { type ReactNode, useCallback, useRef, useState } from "react";
import { Alert, Button, Form, Input, Modal, Radio } from "antd";
import { api, ApiError } from "../api";
import { useSending } from "../shell/sending";
import { useSay, useWords } from "../words";
import { accountWords } from "../words/account";
import { askPasskey, NoPasskey, passkeysPossible } from "./passkey";

export type Way = "password" | "code" | "passkey";
type Waiting = { resolve: () => void; reject: (reason: unknown) => void };

/** Nothing was changed because the person did not confirm; nobody needs to be told. */
export class Unconfirmed extends Error {}

/**
 * Runs work that the server does only for someone who has just shown who they are: where it asks for that, so does
 * a dialog, and the work is tried once more.
 */
export function useConfirmed(ways: Way[]): { run: <T>(work: () => Promise<T>) => Promise<T>; dialog: ReactNode } {
  const [asking, setAsking] = useState(false);
  const waiting = useRef<Waiting | null>(null);
  const run = useCallback(async <T,>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof ApiError && error.code === "unconfirmed")) throw error;
      await new Promise<void>((resolve, reject) => {
        waiting.current = { resolve, reject };
        setAsking(true);
      });
      return await work();
    }
  }, []);
  const end = (confirmed: boolean) => {
    setAsking(false);
    if (confirmed) waiting.current?.resolve();
    else waiting.current?.reject(new Unconfirmed());
    waiting.current = null;
  };
  return { run, dialog: <ConfirmDialog open={asking} ways={ways} onEnd={end} /> };
}

function ConfirmDialog({ open, ways, onEnd }: { open: boolean; ways: Way[]; onEnd: (confirmed: boolean) => void }) {
  const t = useWords(accountWords);
  return (
    <Modal open={open} title={t("confirmTitle")} footer={null} width={400} destroyOnHidden onCancel={() => onEnd(false)}>
      <ConfirmForm ways={ways} onDone={() => onEnd(true)} />
    </Modal>
  );
}

function ConfirmForm({ ways, onDone }: { ways: Way[]; onDone: () => void }) {
  const t = useWords(accountWords);
  const say = useSay();
  const { busy, error, run } = useSending();
  const possible = ways.filter((each) => each !== "passkey" || passkeysPossible());
  const [way, setWay] = useState<Way>(possible[0] ?? "password");
  const send = ({ password, code }: { password?: string; code?: string }) =>
    run(async () => {
      if (way === "passkey") {
        const options = await api.post<Parameters<typeof askPasskey>[0]>("/session/passkey");
        await api.post("/session/confirm", { passkey: await askPasskey(options) });
      } else await api.post("/session/confirm", way === "password" ? { password } : { code });
      onDone();
    });
  const words = { password: t("byPassword"), code: t("byCode"), passkey: t("byPasskey") };
  const message = error instanceof NoPasskey ? t("passkeyFailed") : error ? say(error.text) : null;
  const needed = [{ required: true, message: t("required") }];
  return (
    <Form layout="vertical" requiredMark={false} onFinish={send}>
      <p className="ms-second">{t("confirmText")}</p>
      {message ? <Alert type="error" title={message} role="alert" className="ms-gap-bottom" /> : null}
      {possible.length > 1 ? (
        <Radio.Group
          optionType="button"
          value={way}
          onChange={(event) => setWay(event.target.value as Way)}
          options={possible.map((each) => ({ value: each, label: words[each] }))}
          className="ms-gap-bottom"
        />
      ) : null}
      {way === "password" ? (
        <Form.Item name="password" label={t("byPassword")} rules={needed}>
          <Input.Password autoComplete="current-password" autoFocus />
        </Form.Item>
      ) : null}
      {way === "code" ? (
        <Form.Item name="code" label={t("code")} extra={t("codeText")} rules={needed}>
          <Input autoComplete="one-time-code" inputMode="numeric" maxLength={32} autoFocus spellCheck={false} />
        </Form.Item>
      ) : null}
      <Button type="primary" htmlType="submit" block loading={busy}>
        {way === "passkey" ? t("usePasskey") : t("confirm")}
      </Button>
    </Form>
  );
}
