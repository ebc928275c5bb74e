import { type ReactNode, useState } from "react";
import { Alert, App, Button, Drawer, Form, type FormInstance } from "antd";
import { ApiError } from "../api";
import type { Words } from "../types";
import { useSay, useWords } from "../words";
import { plantWords } from "../words/plant";

type Values = Record<string, unknown>;
/** After a conflict, the version of the record as it stands now: saving again is then a decision, not an accident. */
export interface Seen {
  version?: number;
}

export interface EditDrawerProps {
  open: boolean;
  title: string;
  form: FormInstance;
  /** Sends what was entered; an ApiError with `fields` is shown beside them. */
  save: (values: Values, seen: Seen) => Promise<void>;
  onClose: () => void;
  children: ReactNode;
  below?: ReactNode;
  extra?: ReactNode;
}

/** Put the server's field errors beside their fields; what has no field is returned. */
function showFields(form: FormInstance, fields: Record<string, Words>, say: (words: Words) => string): string[] {
  const rest: string[] = [];
  for (const [path, text] of Object.entries(fields)) {
    const name = path.split(".");
    const known = form.getFieldInstance(name) !== undefined || form.isFieldTouched(name) || name[0]! in (form.getFieldsValue() as Values);
    if (known) form.setFields([{ name, errors: [say(text)] }]);
    else rest.push(`${path}: ${say(text)}`);
  }
  return rest;
}

/** The fields in which the record now differs from what is entered, as they stand now. */
export function differences(mine: Values, current: Values): [string, string][] {
  return Object.entries(mine).flatMap(([field, value]) => {
    const now = current[field];
    if (!(field in current) || JSON.stringify(value ?? null) === JSON.stringify(now ?? null)) return [];
    return [[field, typeof now === "object" && now !== null ? JSON.stringify(now) : String(now ?? "-")]];
  });
}

/** A form in a drawer: errors beside the field and summed up above, asks before leaving what was changed. */
export function EditDrawer({ open, title, form, save, onClose, children, below, extra }: EditDrawerProps) {
  const t = useWords(plantWords);
  const say = useSay();
  const { modal } = App.useApp();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<{ text: string; rest: string[] } | null>(null);
  const [changed, setChanged] = useState(false);
  const [seen, setSeen] = useState<Seen>({});
  const close = () => {
    setProblem(null);
    setSeen({});
    setChanged(false);
    onClose();
  };
  const leave = () => {
    if (!changed) close();
    else void modal.confirm({ title: t("leaveSure"), okText: t("leave"), cancelText: t("back"), onOk: close });
  };
  const submit = async (values: Values) => {
    setBusy(true);
    setProblem(null);
    try {
      await save(values, seen);
      close();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 409) {
        const current = (error.current ?? {}) as Values;
        if (typeof current.version === "number") setSeen({ version: current.version });
        const rest = differences(values, current).map(([field, value]) => t("conflictField", { field, value }));
        setProblem({ text: t("conflict"), rest });
      } else setProblem({ text: say(error.text), rest: showFields(form, error.fields, say) });
    } finally {
      setBusy(false);
    }
  };
  return (
    <Drawer
      open={open}
      onClose={leave}
      title={title}
      size={480}
      destroyOnHidden
      extra={extra}
      footer={
        <div className="ms-actions">
          <Button type="primary" loading={busy} onClick={() => form.submit()}>
            {t("save")}
          </Button>
          <Button onClick={leave}>{t("cancel")}</Button>
        </div>
      }
    >
      {problem ? <Alert type="error" role="alert" title={problem.text} description={problem.rest.length > 0 ? <ul>{problem.rest.map((line) => <li key={line}>{line}</li>)}</ul> : undefined} className="ms-gap-bottom" /> : null}
      <Form form={form} layout="vertical" onFinish={submit} onValuesChange={() => setChanged(true)} scrollToFirstError>
        {children}
      </Form>
      {below}
    </Drawer>
  );
}
