import { Alert, Button, Form, Input } from "antd";
import { api } from "../api";
import { useSending } from "../shell/sending";
import type { Person } from "../types";
import { useSay, useWords } from "../words";
import { accountWords } from "../words/account";
import { askPasskey, NoPasskey, passkeysPossible } from "./passkey";

/** After the right password: a code or a passkey. */
export function SecondStep({ kinds, onSignedIn, onBack }: { kinds: string[]; onSignedIn: (person: Person) => void; onBack: () => void }) {
  const t = useWords(accountWords);
  const say = useSay();
  const { busy, error, run } = useSending();
  const take = async (proof: Record<string, unknown>) => onSignedIn((await api.post<{ user: Person }>("/session/second-step", proof)).user);
  const passkey = () =>
    run(async () => {
      const options = await api.post<Parameters<typeof askPasskey>[0]>("/session/passkey");
      await take({ passkey: await askPasskey(options) });
    });
  const codes = kinds.some((kind) => kind !== "webauthn");
  const message = error instanceof NoPasskey ? t("passkeyFailed") : error ? say(error.text) : null;
  return (
    <Form layout="vertical" requiredMark={false} onFinish={({ code }: { code: string }) => run(() => take({ code }))} className="ms-gap-top">
      <p className="ms-second ms-gap-bottom">{t("secondStepText")}</p>
      {message ? <Alert type="error" title={message} role="alert" className="ms-gap-bottom" /> : null}
      {codes ? (
        <>
          <Form.Item name="code" label={t("code")} extra={t("codeText")} rules={[{ required: true, message: t("required") }]}>
            <Input autoComplete="one-time-code" inputMode="numeric" maxLength={32} autoFocus spellCheck={false} />
          </Form.Item>
          <Button type="primary" htmlType="submit" block loading={busy}>
            {t("go")}
          </Button>
        </>
      ) : null}
      {kinds.includes("webauthn") && passkeysPossible() ? (
        <Button type={codes ? "default" : "primary"} block loading={busy} onClick={passkey} className="ms-gap-top">
          {t("usePasskey")}
        </Button>
      ) : null}
      <Button type="link" block onClick={onBack} className="ms-gap-top">
        {t("startOver")}
      </Button>
    </Form>
  );
}
