import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from "react";
import { Alert, Button, Drawer, Form, type FormInstance } from "antd";
import { ApiError } from "../api";
import type { Words } from "../types";
import { useSay, useWords } from "../words";
import { plantWords } from "../words/plant";
import { differences, type Differences, type Path, type Values } from "./conflict";
import { ConflictChoice } from "./ConflictChoice";
import { useAskFirst } from "./ask-first";

/** After a conflict, the version of the record as it stands now: saving again is then a decision, not an accident. */
export interface Seen {
  version?: number;
}

export interface EditDrawerProps {
  open: boolean;
  title: string;
  form: FormInstance;
  /** What the form holds when it opens: the record as it was read, or what a new one begins with. */
  start: Values;
  /** The record as the server has it, as the form holds it; where both are the same, left out. */
  read?: (record: Values) => Values;
  /** Sends what was entered; an ApiError with `fields` is shown beside them. */
  save: (values: Values, seen: Seen) => Promise<void>;
  onClose: () => void;
  children: ReactNode;
  below?: ReactNode;
  extra?: ReactNode;
  size?: number;
  /** What the button does, where that is more than to save. */
  action?: string;
  /** A value in words, where a conflict shows it. */
  tell?: (path: Path, value: unknown) => string;
  /** Whether something is entered that is not saved. */
  onChanged?: (changed: boolean) => void;
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

/** What a field is called in the form: its label is on the page already. */
function labelOf(form: FormInstance, id: string, path: Path): string {
  const control = form.getFieldInstance([...path]) as { nativeElement?: HTMLElement } | undefined;
  const label = document.querySelector(`label[for="${CSS.escape([id, ...path].join("_"))}"]`) ?? control?.nativeElement?.closest("label");
  return label?.textContent?.trim() || path.join(".");
}

/** A form in a drawer: errors beside the field and summed up above, asks before leaving what was changed. */
export function EditDrawer({ open, title, form, start, read, save, onClose, children, below, extra, size = 480, action, tell, onChanged }: EditDrawerProps) {
  const t = useWords(plantWords);
  const say = useSay();
  const id = useId();
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<{ text: string; rest: string[] } | null>(null);
  const [conflict, setConflict] = useState<Differences | null>(null);
  const [seen, setSeen] = useState<Seen>({});
  const before = useRef<Values>(start);
  const latest = useRef(start);
  useEffect(() => {
    latest.current = start;
  });
  // Only opening fills the form: a list that is read again behind the drawer takes nothing back that was typed.
  useEffect(() => {
    if (!open) return;
    before.current = latest.current;
    form.resetFields();
    form.setFieldsValue(latest.current);
  }, [open, form]);
  // What is refused stands above the form, whatever part of it is in sight.
  const top = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (problem ?? conflict) top.current?.scrollIntoView({ block: "start" });
  }, [problem, conflict]);
  const { changed, leave, setChanged } = useAskFirst(() => {
    setProblem(null);
    setConflict(null);
    setSeen({});
    onClose();
  });
  useEffect(() => onChanged?.(changed), [changed, onChanged]);
  // The keys of saving work in every field, those of several lines too.
  const pressed = (event: KeyboardEvent) => {
    if (!(event.ctrlKey || event.metaKey) || (event.key !== "Enter" && event.key.toLowerCase() !== "s")) return;
    event.preventDefault();
    // Enter would open a list that has the focus.
    event.stopPropagation();
    if (!busy) form.submit();
  };
  const compare = (mine: Values, record: Values) => {
    const now = read ? read(record) : record;
    const paths = form.getFieldsError().map(({ name }) => name);
    const found = differences(paths, before.current, mine, now);
    for (const { path, theirs } of found.theirs) form.setFieldValue([...path], theirs);
    before.current = now;
    return found;
  };
  const submit = async (values: Values, since: Seen = seen): Promise<void> => {
    setBusy(true);
    setProblem(null);
    setConflict(null);
    try {
      await save(values, since);
      setChanged(false);
      setSeen({});
      onClose();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const now = error.status === 409 ? (error.current as (Values & Seen) | null | undefined) : null;
      if (now?.version === undefined) {
        setProblem({ text: say(error.text), rest: showFields(form, error.fields, say) });
        return;
      }
      const found = compare(values, now);
      setSeen({ version: now.version });
      // Nothing of what is entered here was touched: there is nothing to choose.
      if (found.both.length + found.theirs.length === 0) return await submit(values, { version: now.version });
      setChanged(true);
      setConflict(found);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Drawer
      open={open}
      onClose={leave}
      title={title}
      size={size}
      destroyOnHidden
      extra={extra}
      footer={
        <div className="ms-actions">
          <Button type="primary" loading={busy} onClick={() => form.submit()}>
            {action ?? t("save")}
          </Button>
          <Button onClick={leave}>{t("cancel")}</Button>
        </div>
      }
    >
      <div ref={top} className="ms-drawer-top" />
      {problem ? <Alert type="error" role="alert" title={problem.text} description={problem.rest.length > 0 ? <ul>{problem.rest.map((line) => <li key={line}>{line}</li>)}</ul> : undefined} className="ms-gap-bottom" /> : null}
      <Form form={form} name={id} layout="vertical" onKeyDownCapture={pressed} onFinish={(values: Values) => submit(values)} onValuesChange={() => changed || setChanged(true)} scrollToFirstError>
        {conflict ? (
          <Form.Item noStyle shouldUpdate>
            {() => <ConflictChoice found={conflict} labelOf={(path) => labelOf(form, id, path)} valueOf={(path) => form.getFieldValue([...path])} set={(path, value) => form.setFieldValue([...path], value)} tell={tell} />}
          </Form.Item>
        ) : null}
        {children}
      </Form>
      {below}
    </Drawer>
  );
}
