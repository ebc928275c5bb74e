import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { Alert, App, Button, Form, Select } from "antd";
import { api, ApiError, request } from "../api";
import type { Path } from "../components/conflict";
import { ConflictChoice } from "../components/ConflictChoice";
import { usePreferences } from "../preferences";
import { useSession, useZone } from "../session";
import type { Words } from "../types";
import { useUnits, written } from "../units";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { Checks, type Question, useTest } from "./Checks";
import type { Cure } from "./cures";
import { LiveValues } from "./LiveValues";
import { BULK_MS, checkedRows, MapStep } from "./MapStep";
import { columnsFor, emptyRow, faultOfRule, faultsOf, itemOf, rowOfTag } from "./rows";
import { SaveStep } from "./SaveStep";
import { addressText, differences, fieldsOf, settingsOf, withDefaults } from "./schema";
import { SchemaForm } from "./SchemaForm";
import { faultsByRow, filled, namingOf, needsAsset, noTags, type TagsDraft } from "./tags-draft";
import { TagsStep } from "./TagsStep";
import { TemplatePick } from "./TemplatePick";
import type { AppliedTemplate, BulkOutcome, Connection, Driver, Gateway, Settings, Template } from "./types";
import { useMeeting } from "./use-meeting";
import { useLeaving } from "./use-leaving";
import { dropDraft, keepDraft, readDraft } from "./wizard-draft";

export const STEPS = ["stepProtocol", "stepAddress", "stepTest", "stepTags", "stepMap", "stepSave"] as const;
export type Step = (typeof STEPS)[number];
const GATEWAY = "main";
const NO_SCHEMA = {};
const DRAFT_MS = 500;

function StepLine({ step, reached, go }: { step: Step; reached: number; go: (step: Step) => void }) {
  const t = useWords(connectWords);
  return (
    <ol className="ms-steps" aria-label={t("steps")}>
      {STEPS.map((each, index) => (
        <li key={each}>
          <button type="button" className="ms-plain" disabled={index > reached} aria-current={each === step ? "step" : undefined} onClick={() => go(each)}>
            <span className="ms-step-number">{index + 1}</span> <span>{t(each)}</span>
          </button>
        </li>
      ))}
    </ol>
  );
}

interface ProtocolsProps {
  drivers: readonly Driver[];
  chosen: string;
  fixed: boolean;
  choose: (driver: Driver) => void;
  onTemplate: (template: Template, applied: AppliedTemplate) => void;
}

function Protocols({ drivers, chosen, fixed, choose, onTemplate }: ProtocolsProps) {
  const t = useWords(connectWords);
  const say = useSay();
  return (
    <div className="ms-stack">
      <h2>{t("chooseProtocol")}</h2>
      <div className="ms-protocols">
        {drivers.map((driver) => (
          <button key={driver.name} type="button" className="ms-plain ms-protocol" aria-pressed={driver.name === chosen} disabled={fixed && driver.name !== chosen} onClick={() => choose(driver)}>
            <span className="ms-bold">{say(driver.title)}</span>
            <ul className="ms-second ms-caption">
              <li>{t(driver.browses ? "canBrowse" : "cannotBrowse")}</li>
              <li>{t(driver.subscribes ? "canSubscribe" : "isPolled")}</li>
              {driver.writes ? <li>{t("canWrite")}</li> : null}
            </ul>
          </button>
        ))}
      </div>
      {fixed ? <p className="ms-third">{t("protocolFixed")}</p> : <TemplatePick onApply={onTemplate} />}
    </div>
  );
}

interface Problem {
  text: string;
  rest: string[];
}

export interface WizardProps {
  drivers: readonly Driver[];
  gateways: readonly Gateway[];
  /** The connection to change; null makes a new one. */
  connection: Connection | null;
  start: Step;
}

/** Guided steps from a protocol to live values; each keeps what was entered, Back loses nothing. */
export function Wizard({ drivers, gateways, connection, start }: WizardProps) {
  const t = useWords(connectWords);
  const say = useSay();
  const { language } = usePreferences();
  const navigate = useNavigate();
  const { message } = App.useApp();
  const [form] = Form.useForm();
  const { person: user } = useSession();
  const zone = useZone();
  const [draft, setDraft] = useState(() => readDraft(user.id, connection?.id ?? null));
  const [stored, setStored] = useState(draft?.base ?? connection);
  const [driverName, setDriverName] = useState(draft?.driver ?? connection?.driver ?? (drivers.length === 1 ? (drivers[0]?.name ?? "") : ""));
  const [step, setStep] = useState<Step>(STEPS.find((each) => each === draft?.step) ?? start);
  const [reached, setReached] = useState(draft?.reached ?? (connection ? STEPS.length - 1 : STEPS.indexOf(start)));
  const driver = drivers.find(({ name }) => name === driverName);
  const fields = useMemo(() => fieldsOf(driver?.config_schema ?? NO_SCHEMA), [driver]);
  const [entered, setEntered] = useState<Settings>(() => withDefaults(fields, draft?.settings ?? connection?.settings ?? {}));
  const [gateway, setGateway] = useState(draft?.gateway ?? connection?.gateway ?? GATEWAY);
  const [name, setName] = useState(draft?.name ?? connection?.name ?? "");
  const [enabled, setEnabled] = useState(draft?.enabled ?? connection?.enabled ?? true);
  const [tags, setTags] = useState<TagsDraft>(() => draft?.tags ?? noTags());
  const [assetMissing, setAssetMissing] = useState(false);
  const [nameFault, setNameFault] = useState("");
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const [changed, setChanged] = useState(false);
  const allowLeaving = useLeaving(changed);
  const test = useTest();
  const tested = useRef("");
  const foot = useRef<HTMLButtonElement>(null);
  const address = useRef<HTMLElement>(null);
  const draftOf = connection?.id ?? null;
  const isSaved = useRef(false);
  useEffect(() => {
    if (!changed || isSaved.current) return;
    const kept = { saved_ms: Date.now(), base: stored, step, reached, driver: driverName, settings: entered, gateway, name, enabled, tags };
    const timer = setTimeout(() => !isSaved.current && keepDraft(user.id, draftOf, kept, fields), DRAFT_MS);
    return () => clearTimeout(timer);
  }, [changed, step, reached, driverName, entered, gateway, name, enabled, tags, stored, user.id, draftOf, fields]);
  const discard = () => {
    dropDraft(user.id, draftOf);
    setDraft(null);
    allowLeaving();
    location.reload();
  };

  const question = useMemo<Question>(
    () => ({ driver: driverName, settings: settingsOf(fields, entered), gateway, ...(stored && { id: stored.id }) }),
    [driverName, fields, entered, gateway, stored],
  );
  const asked = JSON.stringify(question);
  const runTest = (about: Question = question) => {
    tested.current = JSON.stringify(about);
    test.run(about);
  };
  const { run } = test;
  useEffect(() => {
    if (step !== "stepTest" || tested.current === asked) return;
    tested.current = asked;
    run(JSON.parse(asked) as Question);
  }, [step, asked, run]);
  useEffect(() => {
    if (step === "stepTest" || step === "stepSave") foot.current?.focus();
    // The protocol that was chosen is out of sight, and with it what had the focus.
    else if (step === "stepAddress" && document.activeElement === document.body) address.current?.querySelector("input")?.focus();
  }, [step]);

  const chooseDriver = (chosen: Driver) => {
    if (chosen.name !== driverName) {
      const fresh = withDefaults(fieldsOf(chosen.config_schema), {});
      setDriverName(chosen.name);
      setEntered(fresh);
      form.resetFields();
      form.setFieldsValue({ settings: fresh });
      setTags(noTags());
      setChanged(true);
    }
    setReached((before) => Math.max(before, 1));
    setStep("stepAddress");
  };
  const units = useUnits().value?.items ?? [];
  const begin = (template: Template, applied: AppliedTemplate) => {
    const of = drivers.find((each) => each.name === applied.driver);
    const next = withDefaults(fieldsOf(of?.config_schema ?? NO_SCHEMA), applied.settings);
    setDriverName(applied.driver);
    setEntered(next);
    form.resetFields();
    form.setFieldsValue({ settings: next });
    setTags({ ...noTags(), rows: applied.tags.length > 0 ? applied.tags.map((tag) => rowOfTag({ ...tag, ...(tag.unit !== undefined && { unit: written(tag.unit, units) }) })) : [emptyRow()] });
    setName(`${say(template.title)} ${addressText(next)}`.trim().slice(0, 80));
    setChanged(true);
    setReached(STEPS.indexOf("stepTest"));
    setStep("stepTest");
  };
  const cure = ({ settings }: Cure) => {
    const next = { ...entered, ...settings };
    setEntered(next);
    setChanged(true);
    form.setFieldsValue({ settings: next });
    runTest({ ...question, settings: settingsOf(fields, next) });
    foot.current?.focus();
  };
  /** Whether a step may be left forwards; what is missing is said beside it. Saving asks the server by itself. */
  const complete = async (of: Step, ask = true): Promise<boolean> => {
    if (of === "stepProtocol") return driver !== undefined;
    if (of === "stepAddress") return form.validateFields().then(() => true, () => false);
    if (!(of === "stepTags" || of === "stepMap") || filled(tags.rows).length === 0 || !driver) return true;
    const isMap = of === "stepMap";
    const faults = faultsOf(tags.rows, columnsFor(driver).filter(({ step: at }) => isMap || at !== "map"), isMap ? namingOf(tags) : undefined);
    if (faults.length > 0) setTags({ ...tags, faults });
    const homeless = isMap && tags.asset === null && needsAsset(tags);
    setAssetMissing(homeless);
    if (faults.length > 0 || homeless || (isMap && faultOfRule(tags.rule) !== null)) return false;
    return !isMap || !ask || (await acceptable(driver));
  };
  /** Whether the server would take the rows: a unit it does not know is told here, not after saving. */
  const acceptable = async (of: Driver): Promise<boolean> => {
    const rows = filled(tags.rows);
    setBusy(true);
    try {
      const outcome = await checkedRows(rows, columnsFor(of), namingOf(tags), stored?.id ?? null);
      if (outcome.refused.length > 0) setTags({ ...tags, faults: faultsByRow(rows, outcome) });
      return outcome.refused.length === 0;
    } catch (error) {
      fail(error);
      return false;
    } finally {
      setBusy(false);
    }
  };
  const go = async (to: Step) => {
    const target = STEPS.indexOf(to);
    for (const between of STEPS.slice(STEPS.indexOf(step), target)) {
      if (await complete(between)) continue;
      setStep(between);
      return;
    }
    if (to === "stepSave" && name === "" && driver) setName(`${say(driver.title)} ${addressText(entered)}`.trim().slice(0, 80));
    setProblem(null);
    setReached((before) => Math.max(before, target));
    setStep(to);
  };
  const at = STEPS.indexOf(step);
  const move = (by: number) => {
    const to = STEPS[at + by];
    if (to) void go(to);
  };

  const meeting = useMeeting(fields, { name, gateway, enabled, settings: entered }, (next) => {
    setName(next.name);
    setGateway(next.gateway);
    setEnabled(next.enabled);
    setEntered(next.settings);
    form.setFieldsValue({ settings: next.settings });
    setChanged(true);
  });
  const labelOf = ([first, key]: Path) => {
    if (first === "settings") return fields.find((field) => field.key === key)?.title[language] ?? String(key);
    return t(first === "name" ? "connectionName" : first === "gateway" ? "gateway" : "enabledLabel");
  };
  const fail = (error: unknown) => {
    if (!(error instanceof ApiError)) throw error;
    const now = error.status === 409 ? (error.current as Connection | null | undefined) : null;
    if (stored && now?.version !== undefined) {
      meeting.meet(stored, now);
      setStored(now);
      return;
    }
    const entries = Object.entries(error.fields);
    setNameFault(say(error.fields.name));
    const ofForm = entries.filter(([path]) => path.startsWith("settings."));
    form.setFields(ofForm.map(([path, text]) => ({ name: path.split("."), errors: [say(text)] })));
    setProblem({ text: say(error.text), rest: entries.map(([, text]) => say(text as Words)) });
    if (ofForm.length > 0) setStep("stepAddress");
  };
  const saveConnection = async (): Promise<Connection> => {
    const body = { name: name.trim(), gateway, enabled, settings: settingsOf(fields, entered) };
    if (!stored) return api.post<Connection>("/connections", { ...body, driver: driverName });
    const same = stored.name === body.name && stored.gateway === gateway && stored.enabled === enabled && JSON.stringify(settingsOf(fields, withDefaults(fields, stored.settings))) === JSON.stringify(body.settings);
    return same ? stored : api.patch<Connection>(`/connections/${stored.id}`, { ...body, version: stored.version });
  };
  const saveTags = async (to: Connection): Promise<BulkOutcome | null> => {
    const rows = filled(tags.rows);
    if (rows.length === 0 || !driver) return null;
    const columns = columnsFor(driver);
    const items = rows.map((row) => itemOf(row, columns, namingOf(tags), to.id));
    const outcome = (await (await request("POST", "/tags/bulk", { body: { dry_run: false, items }, timeoutMs: BULK_MS })).json()) as BulkOutcome;
    const refused = new Set(outcome.refused.map(({ row }) => row));
    setTags({ ...tags, rows: rows.filter((_, index) => refused.has(index)), faults: faultsByRow(rows, outcome) });
    return outcome;
  };
  const save = async () => {
    if (!(await complete("stepAddress"))) return setStep("stepAddress");
    if (!(await complete("stepTags"))) return setStep("stepTags");
    if (!(await complete("stepMap", false))) return setStep("stepMap");
    if (name.trim() === "") return setNameFault(t("required"));
    setBusy(true);
    setProblem(null);
    meeting.forget();
    setNameFault("");
    try {
      const saved = await saveConnection();
      setStored(saved);
      const outcome = await saveTags(saved);
      const good = (outcome?.created ?? 0) + (outcome?.updated ?? 0);
      if (outcome && outcome.refused.length > 0) {
        setProblem({ text: t("someRefused", { good, bad: new Set(outcome.refused.map(({ row }) => row)).size }), rest: [] });
        setStep("stepMap");
        return;
      }
      allowLeaving();
      isSaved.current = true;
      dropDraft(user.id, draftOf);
      message.success(outcome ? t("savedWithTags", { name: saved.name, n: good }) : t("saved", { name: saved.name }), 6);
      void navigate(`/connect/${saved.id}`);
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };

  const leave = () => void navigate(stored ? `/connect/${stored.id}` : "/connect");
  const pressed = (event: KeyboardEvent) => {
    const inPopup = (event.target as HTMLElement).closest(".ant-select, .ant-dropdown, .ant-modal");
    if (event.key === "Escape" && !event.defaultPrevented && !inPopup) leave();
  };
  const mark = <T,>(set: (value: T) => void) => (value: T) => {
    setChanged(true);
    set(value);
  };
  const isLast = step === "stepSave";
  const sameTarget = stored !== null && gateway === stored.gateway && differences(fields, stored.settings, entered).length === 0;
  return (
    <div className="ms-wizard" onKeyDown={pressed}>
      <div className="ms-page">
        <div className="ms-title">
          <h1 className="ms-grow">{stored ? t("editNamed", { name: stored.name }) : t("addConnection")}</h1>
          {driver && step !== "stepProtocol" ? (
            <span className="ms-second">
              {say(driver.title)} <span className="ms-code">{addressText(question.settings)}</span>
            </span>
          ) : null}
        </div>
        {draft ? (
          <Alert
            type="info"
            title={t("draftContinued", { time: zone.full(draft.saved_ms).slice(0, 16) })}
            action={
              <Button size="small" onClick={discard}>
                {t("discardDraft")}
              </Button>
            }
          />
        ) : null}
        <StepLine step={step} reached={reached} go={(to) => void go(to)} />
        {problem ? <Alert type="error" role="alert" title={problem.text} description={problem.rest.join("\n") || undefined} className="ms-narrow-column" /> : null}
        {meeting.found ? <ConflictChoice found={meeting.found} labelOf={labelOf} valueOf={meeting.valueOf} set={meeting.set} /> : null}
        {step === "stepProtocol" ? <Protocols drivers={drivers} chosen={driverName} fixed={stored !== null} choose={chooseDriver} onTemplate={begin} /> : null}
        <section ref={address} className="ms-panel ms-narrow-column" hidden={step !== "stepAddress"}>
          <Form
            form={form}
            layout="vertical"
            className="ms-panel-body"
            initialValues={{ settings: entered }}
            onFinish={() => move(1)}
            onValuesChange={() => {
              setChanged(true);
              setEntered({ ...entered, ...(form.getFieldsValue(true) as { settings?: Settings }).settings });
            }}
          >
            {driver ? <SchemaForm key={driver.name} schema={driver.config_schema} at="settings" values={entered} stored={stored !== null} /> : null}
            <Form.Item label={t("gateway")} htmlFor="connection-gateway">
              <Select
                id="connection-gateway"
                value={gateway}
                onChange={mark(setGateway)}
                options={gateways.map((each) => ({ value: each.name, label: t(each.alive ? "gatewayAlive" : "gatewaySilent", { name: each.name }) }))}
              />
            </Form.Item>
            <button type="submit" hidden />
          </Form>
        </section>
        {step === "stepTest" ? (
          <section className="ms-panel ms-narrow-column">
            <div className="ms-panel-body ms-stack">
              <p className="ms-second">{t("testIntro")}</p>
              <Checks test={test} driver={driver} settings={entered} onCure={cure} onAgain={() => runTest()} />
            </div>
          </section>
        ) : null}
        {step === "stepTags" && driver ? (
          <TagsStep driver={driver} question={question} connection={stored?.id ?? null} draft={tags} onChange={mark(setTags)} />
        ) : null}
        {step === "stepMap" && driver ? (
          <MapStep driver={driver} connection={stored?.id ?? null} draft={tags} onChange={mark(setTags)} assetMissing={assetMissing} />
        ) : null}
        {isLast && driver ? (
          <section className="ms-panel" aria-label={t("saveTitle")}>
            <div className="ms-panel-body">
              {tested.current !== asked && !sameTarget ? <Alert type="warning" title={t("untested")} className="ms-gap-bottom" /> : null}
              <SaveStep
                driver={driver}
                fields={fields}
                stored={stored}
                settings={entered}
                name={name}
                enabled={enabled}
                gateway={gateway}
                address={addressText(question.settings)}
                tags={tags}
                nameFault={nameFault}
                onName={mark(setName)}
                onEnabled={mark(setEnabled)}
              />
              {filled(tags.rows).length > 0 ? <LiveValues question={question} rows={filled(tags.rows)} columns={columnsFor(driver)} /> : null}
            </div>
          </section>
        ) : null}
      </div>
      <div className="ms-wizard-foot">
        <Button onClick={leave}>{t("cancel")}</Button>
        <span className="ms-grow" />
        {at > 0 ? <Button onClick={() => move(-1)}>{t("back")}</Button> : null}
        <Button ref={foot} type="primary" loading={busy} disabled={!driver} onClick={() => (isLast ? void save() : move(1))}>
          {t(isLast ? "saveConnection" : "next")}
        </Button>
      </div>
    </div>
  );
}
