import { useCallback, useEffect, useMemo, useState } from "react";
import { useSearchParams } from "react-router";
import { App, Button, Checkbox, Input, Select } from "antd";
import { reasonOf } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { Elapsed } from "../components/Elapsed";
import { type Column, Grid } from "../components/Grid";
import { Banner, Empty, Failure, Loading, NoneMatch } from "../components/PageState";
import { useFailed } from "../failed";
import { shortAge } from "../format/time";
import { useLink } from "../live";
import { useNarrow, usePhone } from "../media";
import { useSession } from "../session";
import { isTyping, lettersAreKeys } from "../shell/keys";
import { PRIORITIES } from "../theme/tokens";
import type { Alarm } from "../types";
import { type Say, useSay, useWords } from "../words";
import { alarmWords } from "../words/alarms";
import { AlarmDetail } from "./AlarmDetail";
import { AlarmValue } from "./AlarmValue";
import { Flood } from "./Flood";
import { floodOf } from "./flood-areas";
import { type Mark, useMarks } from "./marks";
import { useCalmOrder } from "./order";
import { alarmStore, useAlarmList } from "./store";
import { WorkDialog } from "./WorkDialog";

const STATES = ["active-unacknowledged", "active-acknowledged", "cleared-unacknowledged"] as const;
const isOpen = (alarm: Alarm) => alarm.state.endsWith("-unacknowledged");

interface Filter {
  text: string;
  priority: string;
  state: string;
  below: string;
}

function matches(alarm: Alarm, { text, priority, state, below }: Filter): boolean {
  if (priority !== "" && alarm.priority !== priority) return false;
  if (state !== "" && alarm.state !== state) return false;
  if (below !== "" && !alarm.path.startsWith(`${below}/`)) return false;
  if (text === "") return true;
  const words = `${alarm.name.en} ${alarm.name.zh} ${alarm.tag_name} ${alarm.path}`.toLowerCase();
  return words.includes(text.toLowerCase());
}

/** The filter stands in the address, so that it can be shared and Back undoes it. */
function useFilter() {
  const [search, setSearch] = useSearchParams();
  const filter = useMemo<Filter>(() => {
    const of = (name: string) => search.get(name) ?? "";
    return { text: of("search"), priority: of("priority"), state: of("state"), below: of("below") };
  }, [search]);
  const set = useCallback(
    (name: string, value: string) =>
      setSearch(
        (before) => {
          const next = new URLSearchParams(before);
          if (value === "") next.delete(name);
          else next.set(name, value);
          return next;
        },
        { replace: name === "search" },
      ),
    [setSearch],
  );
  const clear = useCallback(() => setSearch({}), [setSearch]);
  return { filter, set, clear, chosen: search.get("alarm") };
}

function useAcknowledge(): (alarms: readonly string[], comment?: string) => void {
  const t = useWords(alarmWords);
  const say = useSay();
  const failed = useFailed();
  const { message } = App.useApp();
  return (alarms, comment) => {
    if (alarms.length === 0) return;
    alarmStore.acknowledge(alarms, comment).then((refused) => {
      const [first] = refused;
      if (first) message.warning(t("refused", { reason: say(first.text) }));
      else message.success(t("acknowledged", { n: alarms.length }));
    }, failed);
  };
}

interface StateCellProps {
  alarm: Alarm;
  pending: boolean;
  marks: readonly Mark[] | undefined;
  t: Say<typeof alarmWords>;
}

function StateCell({ alarm, pending, marks, t }: StateCellProps) {
  if (pending) return <span className="ms-third">{t("pending")}</span>;
  const by = alarm.state === "active-acknowledged" && alarm.acknowledged_by !== "";
  return (
    <>
      {by ? t("byPerson", { who: alarm.acknowledged_by }) : t(alarm.state)}
      {marks?.map((mark) => (
        <span key={mark} className="ms-mark">
          {t(mark)}
        </span>
      ))}
    </>
  );
}

/** The present, a quarter of a minute at a time: whether it is a flood changes no faster. */
function useMinute(): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 15_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

interface ColumnTools {
  t: Say<typeof alarmWords>;
  say: ReturnType<typeof useSay>;
  selected: ReadonlySet<string>;
  toggle: (alarm: Alarm) => void;
  pending: ReadonlySet<string>;
  marks: ReadonlyMap<string, Mark[]>;
  acknowledge: ((alarms: readonly string[]) => void) | null;
  /** Whether an alarm lies where the person acknowledges. */
  isMine: (alarm: Alarm) => boolean;
  /** On a tablet the place gives way, so that acknowledging is in sight; the detail tells it. */
  narrow: boolean;
}

function columnsOf({ t, say, selected, toggle, pending, marks, acknowledge, isMine, narrow }: ColumnTools): Column<Alarm>[] {
  const name = (alarm: Alarm) => <span className={isOpen(alarm) ? "ms-bold" : ""}>{say(alarm.name)}</span>;
  const place: Column<Alarm> = {
    key: "place",
    title: t("tagPlace"),
    width: "minmax(120px, 2fr)",
    cell: (alarm) => (
      <>
        {alarm.tag_name} <span className="ms-third">{say(alarm.place)}</span>
      </>
    ),
  };
  return [
    {
      key: "select",
      title: "",
      width: "36px",
      cell: (alarm) => (
        <Checkbox checked={selected.has(alarm.alarm)} onChange={() => toggle(alarm)} aria-label={t("select", { name: say(alarm.name) })} />
      ),
    },
    { key: "sign", title: "", width: "40px", cell: ({ priority, state }) => <AlarmSign priority={priority} state={state} /> },
    { key: "age", title: t("age"), width: narrow ? "72px" : "92px", end: true, cell: ({ raised_ms }) => <Elapsed sinceMs={raised_ms} /> },
    { key: "alarm", title: t("alarm"), width: narrow ? "minmax(136px, 3fr)" : "minmax(160px, 3fr)", cell: name },
    {
      key: "value",
      title: t("valueLimit"),
      width: narrow ? "minmax(164px, 1.2fr)" : "minmax(190px, 1.2fr)",
      end: true,
      cell: (alarm) => <span className="ms-num"><AlarmValue alarm={alarm} /></span>,
    },
    ...(narrow ? [] : [place]),
    {
      key: "state",
      title: t("state"),
      width: narrow ? "minmax(150px, 2fr)" : "minmax(210px, 2fr)",
      cell: (alarm) => <StateCell alarm={alarm} pending={pending.has(alarm.alarm)} marks={marks.get(alarm.alarm)} t={t} />,
    },
    {
      key: "act",
      title: "",
      width: "116px",
      cell: (alarm) =>
        acknowledge && isOpen(alarm) && isMine(alarm) ? (
          <Button size="small" disabled={pending.has(alarm.alarm)} onClick={() => acknowledge([alarm.alarm])}>
            {t("acknowledge")}
          </Button>
        ) : null,
    },
  ];
}

function PhoneRow({ alarm, pending, marks, t }: StateCellProps) {
  const say = useSay();
  return (
    <>
      <span className="ms-row">
        <AlarmSign priority={alarm.priority} state={alarm.state} />
        <span className={isOpen(alarm) ? "ms-bold ms-cut ms-grow" : "ms-cut ms-grow"}>{say(alarm.name)}</span>
        <Elapsed sinceMs={alarm.raised_ms} />
      </span>
      <span className="ms-row ms-second ms-caption">
        <span className="ms-num ms-grow ms-cut"><AlarmValue alarm={alarm} /></span>
        <StateCell alarm={alarm} pending={pending} marks={marks} t={t} />
      </span>
    </>
  );
}

function Behind() {
  const t = useWords(alarmWords);
  const { state, lagMs } = useLink();
  if (state !== "delayed") return null;
  return <span className="ms-third">{t("behind", { lag: shortAge(lagMs) ?? "> 1 h" })}</span>;
}

function FilterFields({ filter, set }: { filter: Filter; set: (name: string, value: string) => void }) {
  const t = useWords(alarmWords);
  return (
    <>
      <Input
        allowClear
        aria-label={t("searchAlarm")}
        placeholder={t("searchAlarm")}
        defaultValue={filter.text}
        onChange={(event) => set("search", event.target.value)}
      />
      <Select
        aria-label={t("priority")}
        value={filter.priority}
        onChange={(value) => set("priority", value)}
        options={[{ value: "", label: t("anyPriority") }, ...PRIORITIES.map((value) => ({ value, label: t(value) }))]}
      />
      <Select
        aria-label={t("state")}
        value={filter.state}
        onChange={(value) => set("state", value)}
        options={[{ value: "", label: t("anyState") }, ...STATES.map((value) => ({ value, label: t(value) }))]}
      />
    </>
  );
}

/** The list an operator works with: nothing moves under the pointer, and a filter says what it hides. */
export function ActiveAlarms() {
  const t = useWords(alarmWords);
  const say = useSay();
  const { mayAt, maySomewhere } = useSession();
  const { alarms, total, pending, loaded, error } = useAlarmList();
  const { filter, set, clear, chosen } = useFilter();
  const phone = usePhone();
  const [filters, setFilters] = useState(false);
  const [pointer, setPointer] = useState(false);
  const [focus, setFocus] = useState(false);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [visible, setVisible] = useState<readonly Alarm[]>([]);
  const acknowledge = useAcknowledge();
  const [shelving, setShelving] = useState<readonly string[]>([]);
  const [byArea, setByArea] = useState(true);
  const now = useMinute();
  const matching = useMemo(() => alarms.filter((alarm) => matches(alarm, filter)), [alarms, filter]);
  const flood = floodOf(alarms, now, matching);
  const marks = useMarks(alarms, now);
  const { shown, waiting, renew } = useCalmOrder(matching, pointer || focus);
  const toggle = useCallback(
    ({ alarm }: Alarm) =>
      setSelected((before) => {
        const next = new Set(before);
        if (!next.delete(alarm)) next.add(alarm);
        return next;
      }),
    [],
  );
  const open = useCallback((alarm: Alarm) => set("alarm", alarm.alarm), [set]);
  const isMine = ({ path }: Alarm) => mayAt("operator", path);
  const openOf = (list: readonly Alarm[]) => list.filter((each) => isOpen(each) && isMine(each)).map(({ alarm }) => alarm);
  const chosenOnes = openOf(alarms.filter(({ alarm }) => selected.has(alarm)));
  const selectedOnes = alarms.filter((each) => selected.has(each.alarm) && isMine(each)).map(({ alarm }) => alarm);
  const targets = selected.size > 0 ? chosenOnes : openOf(visible);
  const act = (ids: readonly string[]) => {
    acknowledge(ids);
    setSelected(new Set());
  };
  const mayAcknowledge = maySomewhere("operator");
  const narrow = useNarrow();
  const columns = columnsOf({ t, say, selected, toggle, pending, marks, acknowledge: mayAcknowledge ? act : null, isMine, narrow });
  const hidden = alarms.length - matching.length;
  const detail = chosen === null ? undefined : alarms.find(({ alarm }) => alarm === chosen);

  if (!loaded) return error ? <Failure error={error} onRetry={() => void alarmStore.read()} /> : <Loading rows={10} />;
  const pressed = (event: React.KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || isTyping(event.target) || !lettersAreKeys() || !mayAcknowledge || selected.size === 0) return;
    if (event.key === "k") act(chosenOnes);
    if (event.key === "s") setShelving(selectedOnes);
  };
  return (
    <>
      <div className="ms-filters">
        {mayAcknowledge ? (
          <Button className="ms-main-action" disabled={targets.length === 0} onClick={() => act(targets)}>
            <span className="ms-num">{t(selected.size > 0 ? "acknowledgeSelected" : "acknowledgeVisible", { n: targets.length })}</span>
          </Button>
        ) : null}
        {mayAcknowledge ? (
          <Button disabled={selectedOnes.length === 0} onClick={() => setShelving(selectedOnes)}>
            <span className="ms-num">{t("shelveSelected", { n: selectedOnes.length })}</span>
          </Button>
        ) : null}
        {phone ? (
          <Button onClick={() => setFilters(!filters)} aria-expanded={filters}>
            {t("filter")}
          </Button>
        ) : null}
        {phone && !filters ? null : <FilterFields filter={filter} set={set} />}
        <span className="ms-grow" />
        <Behind />
        <span className="ms-num" role="status">
          {waiting > 0 ? (
            <Button size="small" onClick={renew}>
              {t("newOnes", { n: waiting })} ↑
            </Button>
          ) : null}
        </span>
        {hidden > 0 ? (
          <span className="ms-num">
            {t("hiddenByFilter", { n: hidden })}{" "}
            <Button size="small" onClick={clear}>
              {t("show")}
            </Button>
          </span>
        ) : null}
      </div>
      {error ? <Banner>{t("oldContent", { reason: say(reasonOf(error)) })}</Banner> : null}
      {flood ? (
        <Banner action={<Button size="small" onClick={() => setByArea(!byArea)}>{t(byArea ? "asList" : "asFlood")}</Button>}>
          <span className="ms-bold">{t("flood", { n: flood.count })}</span> {byArea ? <span className="ms-no-phone">{t("floodText")}</span> : null}
        </Banner>
      ) : null}
      {flood && byArea && flood.areas.length > 0 ? <Flood areas={flood.areas} onOpen={open} /> : null}
      <WorkDialog
        deed={shelving.length > 0 ? "shelve" : null}
        alarms={shelving}
        onClose={() => {
          setShelving([]);
          setSelected(new Set());
        }}
      />
      {total > alarms.length ? <p className="ms-second">{t("beyond", { held: alarms.length, total })}</p> : null}
      <div className="ms-beside">
        <div
          className="ms-panel ms-grid-place ms-blink"
          onPointerEnter={() => setPointer(true)}
          onPointerLeave={() => setPointer(false)}
          onFocus={() => setFocus(true)}
          onBlur={(event) => setFocus(event.currentTarget.contains(event.relatedTarget))}
          onKeyDown={pressed}
        >
          <Grid
            label={t("listLabel")}
            columns={columns}
            rows={shown}
            total={shown.length}
            rowKey={({ alarm }) => alarm}
            selected={selected}
            onSelect={toggle}
            onOpen={open}
            onVisible={setVisible}
            phone={(alarm) => <PhoneRow alarm={alarm} pending={pending.has(alarm.alarm)} marks={marks.get(alarm.alarm)} t={t} />}
            empty={alarms.length > 0 ? <NoneMatch total={alarms.length} onClear={clear} /> : <Empty title={t("noneTitle")} text={t("noneText")} />}
          />
        </div>
        <AlarmDetail alarm={detail} onClose={() => set("alarm", "")} onAcknowledge={detail && isMine(detail) ? acknowledge : null} />
      </div>
    </>
  );
}
