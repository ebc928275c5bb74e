import { type KeyboardEvent, Suspense, lazy, useCallback, useEffect, useMemo, useState } from "react";
import { useNavigate } from "react-router";
import { Button, Checkbox, Input } from "antd";
import { alarmStore, byUrgency, useAlarmList } from "../alarms/store";
import { allTags } from "../all-tags";
import { AlarmSign } from "../components/AlarmSign";
import { type Column, Grid } from "../components/Grid";
import { Empty, NoneMatch, PageState } from "../components/PageState";
import { LiveAge, QualityValue } from "../components/QualityValue";
import { RangeBar } from "../components/RangeBar";
import { formatOf } from "../components/value-text";
import { widthOf } from "../format/number";
import { useLiveSet } from "../live";
import { useResource } from "../resource";
import { useSession } from "../session";
import { isTyping, lettersAreKeys } from "../shell/keys";
import type { Alarm, AssetDetail, Page, Tag } from "../types";
import { useSay, useWords } from "../words";
import { plantWords } from "../words/plant";
import { useWritingOff } from "../write/ready";
import { WriteButton } from "../write/WriteButton";
import { WriteDrawer } from "../write/WriteDrawer";
import { writeWords } from "../words/write";
import { TagDrawer } from "./TagDrawer";

const SamplesDrawer = lazy(() => import("../enter/SamplesDrawer"));
const FileEntry = lazy(() => import("../enter/FileEntry"));

const MOST = 50_000;
const KEY_VALUES = 6;
const TYPING_MS = 200;

/** The worst alarm of each tag. */
function worstOf(alarms: readonly Alarm[]): ReadonlyMap<number, Alarm> {
  const worst = new Map<number, Alarm>();
  for (const alarm of [...alarms].sort(byUrgency)) if (!worst.has(alarm.tag)) worst.set(alarm.tag, alarm);
  return worst;
}

/** Abnormal tags first, then by name: as it was when the list was read, for rows do not move while someone reads. */
export function abnormalFirst(tags: readonly Tag[], alarms: readonly Alarm[]): Tag[] {
  const worst = worstOf(alarms);
  return [...tags].sort((one, other) => {
    const mine = worst.get(one.tag);
    const theirs = worst.get(other.tag);
    if (mine && theirs) return byUrgency(mine, theirs);
    if (mine || theirs) return mine ? -1 : 1;
    return one.name.localeCompare(other.name, "en", { numeric: true });
  });
}

async function readTags(asset: string, below: boolean, search: string, signal: AbortSignal): Promise<Page<Tag>> {
  const { items, total } = await allTags({ asset, below, search }, MOST, signal);
  return { items: abnormalFirst(items, alarmStore.current().alarms), total };
}

function KeyValues({ tags, worst }: { tags: readonly Tag[]; worst: ReadonlyMap<number, Alarm> }) {
  const say = useSay();
  const chosen = [...tags].sort((one, other) => Number(other.alarms.length > 0) - Number(one.alarms.length > 0)).slice(0, KEY_VALUES);
  useLiveSet(chosen.map(({ tag }) => tag));
  if (chosen.length === 0) return null;
  return (
    <section className="ms-panel ms-key-values">
      {chosen.map((tag) => {
        const alarm = worst.get(tag.tag);
        return (
          <div key={tag.id} className="ms-key-value">
            <span className="ms-row ms-second ms-caption">
              <span className="ms-cut">{say(tag.description) || tag.name}</span>
              {alarm ? <AlarmSign priority={alarm.priority} state={alarm.state} size={16} /> : null}
              <span className="ms-grow ms-grid-end ms-whole">
                <LiveAge tag={tag.tag} />
              </span>
            </span>
            <QualityValue tag={tag.tag} format={formatOf(tag)} />
            <RangeBar tag={tag} />
          </div>
        );
      })}
    </section>
  );
}

interface ColumnTools {
  t: ReturnType<typeof useWords<typeof plantWords>>;
  say: ReturnType<typeof useSay>;
  worst: ReadonlyMap<number, Alarm>;
  selected: ReadonlySet<string>;
  toggle: (tag: Tag) => void;
  edit: ((tag: Tag) => void) | null;
  write: ((tags: Tag[]) => void) | null;
  list: (tag: Tag) => void;
  valueWidth: number;
}

function columnsOf({ t, say, worst, selected, toggle, edit, write, list, valueWidth }: ColumnTools): Column<Tag>[] {
  return [
    {
      key: "select",
      title: "",
      width: "36px",
      cell: (tag) => <Checkbox checked={selected.has(tag.id)} onChange={() => toggle(tag)} aria-label={t("selectTag", { name: tag.name })} />,
    },
    {
      key: "sign",
      title: "",
      width: "36px",
      cell: ({ tag }) => {
        const alarm = worst.get(tag);
        return alarm ? <AlarmSign priority={alarm.priority} state={alarm.state} /> : null;
      },
    },
    { key: "name", title: t("tag"), width: "minmax(164px, 1.4fr)", cell: ({ name }) => <span className="ms-bold" title={name}>{name}</span> },
    { key: "description", title: t("description"), width: "minmax(90px, 1.6fr)", cell: ({ description }) => <span className="ms-second">{say(description)}</span> },
    { key: "value", title: t("value"), width: "minmax(210px, 1fr)", cell: (tag) => <QualityValue tag={tag.tag} format={formatOf(tag)} width={valueWidth} /> },
    { key: "range", title: t("inRange"), width: "minmax(90px, 1.2fr)", cell: (tag) => <RangeBar tag={tag} /> },
    { key: "age", title: t("age"), width: "130px", end: true, cell: ({ tag }) => <LiveAge tag={tag} /> },
    {
      key: "samples",
      title: "",
      width: "92px",
      cell: (tag) => (
        <Button size="small" type="text" aria-label={t("samplesOf", { name: tag.name })} onClick={() => list(tag)}>
          {t("samples")}
        </Button>
      ),
    },
    ...(write
      ? [{ key: "write", title: "", width: "76px", cell: (tag: Tag) => (tag.writable ? <WriteButton tag={tag} onWrite={write} /> : null) }]
      : []),
    {
      key: "edit",
      title: "",
      width: edit ? "76px" : "0px",
      cell: (tag) =>
        edit ? (
          <Button size="small" type="text" onClick={() => edit(tag)}>
            {t("edit")}
          </Button>
        ) : null,
    },
  ];
}

interface PhoneRowProps {
  tag: Tag;
  alarm: Alarm | undefined;
  write: ((tags: Tag[]) => void) | null;
  list: (tag: Tag) => void;
}

function PhoneRow({ tag, alarm, write, list }: PhoneRowProps) {
  const t = useWords(plantWords);
  const say = useSay();
  return (
    <>
      <span className="ms-row">
        {alarm ? <AlarmSign priority={alarm.priority} state={alarm.state} size={18} /> : null}
        <span className="ms-bold ms-cut">{tag.name}</span>
        <span className="ms-third ms-cut ms-grow">{say(tag.description)}</span>
      </span>
      <span className="ms-row">
        <span className="ms-grow">
          <QualityValue tag={tag.tag} format={formatOf(tag)} width={0} />
        </span>
        <LiveAge tag={tag.tag} />
        <Button size="small" type="text" aria-label={t("samplesOf", { name: tag.name })} onClick={() => list(tag)}>
          {t("samples")}
        </Button>
        {write && tag.writable ? <WriteButton tag={tag} onWrite={write} /> : null}
      </span>
    </>
  );
}

function useDelayed(text: string): string {
  const [delayed, setDelayed] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setDelayed(text), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return delayed;
}

function useSelection(): { selected: ReadonlySet<string>; toggle: (tag: Tag) => void } {
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const toggle = useCallback(
    ({ id }: Tag) =>
      setSelected((before) => {
        const next = new Set(before);
        if (!next.delete(id)) next.add(id);
        return next;
      }),
    [],
  );
  return { selected, toggle };
}

/** The tags of an asset: only the rows in sight are in the feed. */
export function TagTable({ asset, onTrend, onChanged }: { asset: AssetDetail; onTrend: (tags: number[]) => void; onChanged: () => void }) {
  const t = useWords(plantWords);
  const say = useSay();
  const navigate = useNavigate();
  const { may, mayAt, maySomewhere } = useSession();
  const { alarms } = useAlarmList();
  const worst = useMemo(() => worstOf(alarms), [alarms]);
  const [text, setText] = useState("");
  const [below, setBelow] = useState(asset.tag_count === 0);
  const search = useDelayed(text.trim());
  const { selected, toggle } = useSelection();
  const [visible, setVisible] = useState<readonly Tag[]>([]);
  const [editing, setEditing] = useState<Tag | "new" | null>(null);
  const [listed, setListed] = useState<Tag | null>(null);
  const [filing, setFiling] = useState(false);
  const tags = useResource(`${asset.id} ${below} ${search}`, (signal) => readTags(asset.id, below, search, signal));
  useLiveSet(visible.map(({ tag }) => tag));
  const items = tags.value?.items ?? [];
  const edit = may("engineer") ? setEditing : null;
  const tWrite = useWords(writeWords);
  const off = useWritingOff();
  const [writing, setWriting] = useState<readonly Tag[]>([]);
  const isMine = (tag: Tag) => tag.writable && mayAt("operator", tag.path);
  const write = items.some(isMine) ? setWriting : null;
  const chosen = items.filter(({ id }) => selected.has(id)).map(({ tag }) => tag);
  const writable = items.filter((tag) => selected.has(tag.id) && isMine(tag));
  const valueWidth = Math.min(14, Math.max(8, ...items.slice(0, 500).map((tag) => widthOf(tag.low, tag.high, tag.decimals))));
  const columns = columnsOf({ t, say, worst, selected, toggle, edit, write, list: setListed, valueWidth });
  const pressed = (event: KeyboardEvent) => {
    if (isTyping(event.target) || event.ctrlKey || event.metaKey || !lettersAreKeys()) return;
    if (event.key === "t" && chosen.length > 0) onTrend(chosen);
    if (event.key === "a") void navigate(`/alarms?below=${encodeURIComponent(asset.path)}`);
  };
  return (
    <>
      {search === "" && !below ? <KeyValues tags={items} worst={worst} /> : null}
      <div className="ms-filters">
        <Input allowClear value={text} onChange={(event) => setText(event.target.value)} placeholder={t("filterTags")} aria-label={t("filterTags")} className="ms-filter-text" />
        <Checkbox checked={below} onChange={(event) => setBelow(event.target.checked)}>
          {t("below")}
        </Checkbox>
        <span className="ms-grow" />
        {chosen.length > 0 ? (
          <Button onClick={() => onTrend(chosen.slice(0, 32))}>
            <span className="ms-num">{t("trendSelected", { n: chosen.length })}</span>
          </Button>
        ) : null}
        {write && writable.length > 0 ? (
          <Button disabled={off !== null} title={off ? tWrite(off) : undefined} onClick={() => setWriting(writable)}>
            {tWrite("writeSelected", { n: writable.length })}
          </Button>
        ) : null}
        {maySomewhere("operator") ? <Button onClick={() => setFiling(true)}>{t("enterFile")}</Button> : null}
        {edit ? <Button onClick={() => setEditing("new")}>{t("addTag")}</Button> : null}
      </div>
      <PageState state={tags} rows={8}>
        {(value) => (
          <div className="ms-panel ms-grid-place" onKeyDown={pressed}>
            <Grid
              label={t("tagsHere", { n: value.total })}
              columns={columns}
              rows={value.items}
              total={value.total}
              rowKey={({ id }) => id}
              selected={selected}
              onSelect={toggle}
              onOpen={(tag) => onTrend([tag.tag])}
              onVisible={setVisible}
              phone={(tag) => <PhoneRow tag={tag} alarm={worst.get(tag.tag)} write={write} list={setListed} />}
              empty={
                search !== "" ? (
                  <NoneMatch total={asset.tag_count} onClear={() => setText("")} />
                ) : (
                  <Empty title={t("noTagsTitle")} text={t("noTagsText")} action={<Button onClick={() => void navigate("/connect")}>{t("mapTags")}</Button>} />
                )
              }
            />
          </div>
        )}
      </PageState>
      {writing.length > 0 ? <WriteDrawer tags={writing} onClose={() => setWriting([])} /> : null}
      <Suspense fallback={null}>
        {listed ? <SamplesDrawer tag={listed} onClose={() => setListed(null)} /> : null}
        {filing ? <FileEntry open onClose={() => setFiling(false)} /> : null}
      </Suspense>
      <TagDrawer
        open={editing !== null}
        tag={editing === "new" ? null : editing}
        asset={asset}
        onClose={() => setEditing(null)}
        onChanged={() => {
          tags.reload();
          onChanged();
        }}
      />
    </>
  );
}
