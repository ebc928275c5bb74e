import { type ReactNode, useCallback, useEffect, useRef, useState } from "react";
import { Alert, Button, Drawer, Input, Steps } from "antd";
import { api, ApiError, request } from "../api";
import { QualityValue } from "../components/QualityValue";
import { useLiveSet } from "../live";
import { useTouch } from "../media";
import { usePreferences } from "../preferences";
import type { Tag, Words } from "../types";
import { useSay, useWords } from "../words";
import { writeWords } from "../words/write";
import { isComplete, shown, valueOf } from "./entered";
import { HoldButton } from "./HoldButton";
import { allGood, useWritingOff } from "./ready";
import { Results } from "./Results";
import type { CommandResult, ItemOutcome, Refusal, Selection } from "./types";
import { ValueField } from "./ValueField";
import "./write.css";

const COMMAND_MS = 15_000;
const ANSWER_MS = 10_000;

interface Care {
  reason: string;
  password: string;
  secondName: string;
  secondPassword: string;
}
const NO_CARE: Care = { reason: "", password: "", secondName: "", secondPassword: "" };

/** Whole seconds until a moment of this clock, counted down; null when nothing runs. */
function useCountdown(until: number | null): number | null {
  const [left, setLeft] = useState<number | null>(null);
  useEffect(() => {
    const look = () => setLeft(until === null ? null : Math.max(0, Math.ceil((until - Date.now()) / 1000)));
    look();
    if (until === null) return;
    const timer = setInterval(look, 250);
    return () => clearInterval(timer);
  }, [until]);
  return until === null ? null : left;
}

function Present({ tags, refusals }: { tags: readonly Tag[]; refusals: ReadonlyMap<number, Words> }) {
  const say = useSay();
  return (
    <ul className="ms-list ms-stack">
      {tags.map((tag) => {
        const refusal = refusals.get(tag.tag);
        return (
          <li key={tag.id} className="ms-write-item">
            <div className="ms-row">
              <span className="ms-bold ms-cut">{tag.name}</span>
              <span className="ms-third ms-cut ms-grow">{say(tag.description)}</span>
              <QualityValue tag={tag.tag} format={{ unit: tag.unit_sign, decimals: tag.decimals, words: tag.words }} width={0} />
            </div>
            {refusal ? <p className="ms-danger">{say(refusal)}</p> : null}
          </li>
        );
      })}
    </ul>
  );
}

function Field({ id, label, wrong, children }: { id: string; label: string; wrong: Words | undefined; children: ReactNode }) {
  const say = useSay();
  return (
    <div className="ms-write-field">
      <label htmlFor={id}>{label}</label>
      {children}
      {wrong ? (
        <p className="ms-caption ms-danger" role="alert">
          {say(wrong)}
        </p>
      ) : null}
    </div>
  );
}

interface CareFieldsProps {
  selection: Selection;
  care: Care;
  wrong: Record<string, Words>;
  onCare: (care: Care) => void;
}

/** What some of the tags require beside a value. */
function CareFields({ selection, care, wrong, onCare }: CareFieldsProps) {
  const t = useWords(writeWords);
  const asks = (name: "reason" | "password" | "second_person") => selection.items.some(({ requires }) => requires[name]);
  const put = (name: keyof Care) => (event: { target: { value: string } }) => onCare({ ...care, [name]: event.target.value });
  return (
    <>
      <Field id="ms-write-reason" label={asks("reason") ? `${t("reason")} *` : t("reason")} wrong={wrong.reason}>
        <Input id="ms-write-reason" maxLength={400} value={care.reason} onChange={put("reason")} aria-required={asks("reason")} />
      </Field>
      {asks("password") ? (
        <Field id="ms-write-password" label={t("password")} wrong={wrong.password}>
          <Input.Password id="ms-write-password" autoComplete="current-password" maxLength={256} value={care.password} onChange={put("password")} />
        </Field>
      ) : null}
      {asks("second_person") ? (
        <section className="ms-stack" aria-label={t("second")}>
          <p className="ms-second">{t("secondText")}</p>
          <Field id="ms-write-second" label={t("secondName")} wrong={undefined}>
            <Input id="ms-write-second" autoComplete="off" maxLength={100} value={care.secondName} onChange={put("secondName")} />
          </Field>
          <Field id="ms-write-second-password" label={t("secondPassword")} wrong={wrong.second}>
            <Input.Password id="ms-write-second-password" autoComplete="off" maxLength={256} value={care.secondPassword} onChange={put("secondPassword")} />
          </Field>
        </section>
      ) : null}
    </>
  );
}

interface Problem {
  text: Words | null;
  fields: Record<string, Words>;
  refusals: ReadonlyMap<number, Words>;
}
const NO_PROBLEM: Problem = { text: null, fields: {}, refusals: new Map() };

function problemOf(error: ApiError): Problem {
  const items = (error.items ?? []) as Refusal[];
  const refusals = new Map(items.flatMap(({ tag, refusal }) => (refusal ? [[tag, refusal] as const] : [])));
  const beside = Object.keys(error.fields).length > 0 || refusals.size > 0;
  return { text: beside ? null : error.text, fields: error.fields, refusals };
}

/** The state of one act of writing: selected, entered, executed. */
function useWriting(tags: readonly Tag[]) {
  const [selection, setSelection] = useState<(Selection & { until: number }) | null>(null);
  const [entered, setEntered] = useState<Record<number, string>>({});
  const [care, setCare] = useState(NO_CARE);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(NO_PROBLEM);
  const [results, setResults] = useState<ItemOutcome[] | "unheard" | null>(null);
  const held = useRef<string | null>(null);
  const release = useCallback(() => {
    if (held.current !== null) api.delete(`/commands/select/${held.current}`).catch(() => undefined);
    held.current = null;
  }, []);
  useEffect(() => release, [release]);

  const attempt = async (work: () => Promise<void>) => {
    setBusy(true);
    setProblem(NO_PROBLEM);
    try {
      await work();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(problemOf(error));
      if (error.status === 409) setSelection(null);
      if (error.status === 0) setResults("unheard");
    } finally {
      setBusy(false);
    }
  };
  const select = () =>
    attempt(async () => {
      setResults(null);
      const made = await api.post<Selection>("/commands/select", { items: tags.map(({ id }) => id) });
      held.current = made.selection;
      setSelection({ ...made, until: Date.now() + made.expires_ms - made.now_ms });
    });
  const execute = () =>
    attempt(async () => {
      if (selection === null) return;
      const needs = (name: "password" | "second_person") => selection.items.some(({ requires }) => requires[name]);
      const draft = {
        selection: selection.selection,
        items: selection.items.map((tag) => ({ tag: tag.tag, value: valueOf(tag, entered[tag.tag] ?? "") })),
        reason: care.reason,
        password: needs("password") ? care.password : undefined,
        second: needs("second_person") ? { username: care.secondName, password: care.secondPassword } : undefined,
        expires_ms: COMMAND_MS,
      };
      const answer = await request("POST", "/commands", { body: draft, once: true, timeoutMs: COMMAND_MS + ANSWER_MS });
      const result = (await answer.json()) as CommandResult;
      held.current = null;
      setCare(NO_CARE);
      setResults(result.items);
    });
  return { selection, setSelection, entered, setEntered, care, setCare, busy, problem, results, select, execute, release };
}

/** Select, enter, execute, and what the equipment shows then. */
export function WriteDrawer({ tags, onClose }: { tags: readonly Tag[]; onClose: () => void }) {
  const t = useWords(writeWords);
  const say = useSay();
  const touch = useTouch();
  const { language } = usePreferences();
  const off = useWritingOff();
  const writing = useWriting(tags);
  const { selection, entered, care, busy, problem, results } = writing;
  const left = useCountdown(selection !== null && results === null ? selection.until : null);
  useLiveSet(tags.map(({ tag }) => tag));
  const ended = left === 0 && !busy;
  const step = results !== null ? 2 : selection !== null && !ended ? 1 : 0;
  const items = selection?.items ?? [];
  const hold = touch || items.some(({ requires }) => requires.hold);
  const [only] = items;
  const act = items.length === 1 && only ? t("setOne", { name: only.name, value: shown(only, valueOf(only, entered[only.tag] ?? ""), language, entered[only.tag]) }) : t("setMany", { n: items.length });
  const complete = items.every((tag) => isComplete(tag, entered[tag.tag] ?? ""));
  const title = tags.length === 1 && tags[0] ? t("writeTag", { name: tags[0].name }) : t("titleMany", { n: tags.length });
  const footer =
    step === 1 ? (
      <div className="ms-write-foot">
        {hold ? <span className="ms-caption ms-second">{t("holdIt")}</span> : null}
        <div className="ms-actions">
          <Button onClick={onClose}>{t("cancel")}</Button>
          <span className="ms-grow" />
          <HoldButton hold={hold} label={complete ? act : t("newValueFirst")} disabled={!complete || off !== null} busy={busy} onAct={() => void writing.execute()} />
        </div>
      </div>
    ) : null;
  return (
    <Drawer open onClose={onClose} title={title} size={480} footer={footer} mask={{ closable: false }}>
      <div className="ms-stack">
        <Steps size="small" current={step} responsive={false} items={[{ title: t("stepSelect") }, { title: t("stepEnter") }, { title: t("stepExecute") }]} />
        {problem.text ? <Alert type="error" role="alert" showIcon title={say(problem.text)} /> : null}
        {off ? <Alert type="warning" showIcon title={t(off)} /> : null}
        {step === 0 ? (
          <>
            {ended ? <Alert type="warning" role="alert" showIcon title={t("ended")} /> : null}
            <p className="ms-second">{t("selectText")}</p>
            <Button type="primary" autoFocus className="ms-write-select" loading={busy} disabled={off !== null || !allGood(tags.map(({ tag }) => tag))} onClick={() => void writing.select()}>
              {t(ended ? "selectAgain" : "select")}
            </Button>
            <Present tags={tags} refusals={problem.refusals} />
          </>
        ) : null}
        {step === 1 && selection ? (
          <>
            <p className="ms-num ms-second" role="timer">
              {t("left", { n: left ?? 0 })}
            </p>
            {items.map((tag, place) => (
              <ValueField key={tag.tag} first={place === 0} tag={tag} entered={entered[tag.tag] ?? ""} onEnter={(text) => writing.setEntered({ ...entered, [tag.tag]: text })} />
            ))}
            <CareFields selection={selection} care={care} wrong={problem.fields} onCare={writing.setCare} />
          </>
        ) : null}
        {results === "unheard" ? <Alert type="error" role="alert" showIcon title={t("unheardText")} /> : null}
        {results !== null && results !== "unheard" ? <Results tags={items} entered={entered} items={results} /> : null}
        {step === 2 ? (
          <>
            <h3>{t("now")}</h3>
            <Present tags={tags} refusals={problem.refusals} />
            <div className="ms-actions">
              <Button autoFocus onClick={onClose}>
                {t("close")}
              </Button>
              <Button loading={busy} disabled={off !== null} onClick={() => void writing.select()}>
                {t("selectAgain")}
              </Button>
            </div>
          </>
        ) : null}
      </div>
    </Drawer>
  );
}
