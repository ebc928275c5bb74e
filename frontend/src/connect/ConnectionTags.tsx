import { useState } from "react";
import { useNavigate } from "react-router";
import { Button, Input } from "antd";
import { allTags } from "../all-tags";
import { api } from "../api";
import { type Column, Grid } from "../components/Grid";
import { Empty, NoneMatch, PageState } from "../components/PageState";
import { LiveAge, QualityValue } from "../components/QualityValue";
import { useFailed } from "../failed";
import { widthOf } from "../format/number";
import { useLiveSet } from "../live";
import { TagDrawer } from "../plant/TagDrawer";
import { formatOf } from "../components/value-text";
import { useResource } from "../resource";
import { useSession } from "../session";
import type { AssetDetail, Page, Tag } from "../types";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import type { Told } from "./ConnectionList";
import type { Connection } from "./types";

const TAGS_MAX = 10_000;

async function readTags(connection: string, signal: AbortSignal): Promise<Page<Tag>> {
  const { items, total } = await allTags({ connection }, TAGS_MAX, signal);
  return { items: items.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true })), total };
}

/** A device address as one line: its values in order, without those that are empty. */
export function tagAddressText(address: Record<string, unknown> | null): string {
  return Object.values(address ?? {})
    .filter((value) => value !== null && value !== "" && value !== "Value")
    .join(" ");
}

interface Tools {
  t: Told;
  say: ReturnType<typeof useSay>;
  width: number;
  /** Values are asked for at the tag's own pace; what reports by itself has none. */
  polled: boolean;
  edit: ((tag: Tag) => void) | null;
}

function columnsOf({ t, say, width, polled, edit }: Tools): Column<Tag>[] {
  return [
    { key: "name", title: t("tag"), width: "minmax(150px, 1.2fr)", cell: (tag) => <span className="ms-bold" title={tag.path}>{tag.name}</span> },
    { key: "description", title: t("description"), width: "minmax(130px, 1.4fr)", cell: ({ description }) => <span className="ms-second">{say(description)}</span> },
    { key: "address", title: t("address"), width: "minmax(170px, 1.2fr)", cell: ({ address }) => <span className="ms-code">{tagAddressText(address)}</span> },
    { key: "value", title: t("value"), width: "minmax(200px, 1fr)", cell: (tag) => <QualityValue tag={tag.tag} format={formatOf(tag)} width={width} /> },
    { key: "age", title: t("age"), width: "110px", end: true, cell: ({ tag }) => <LiveAge tag={tag} /> },
    ...(polled ? [{ key: "scan", title: t("scan"), width: "90px", end: true, cell: ({ scan_ms }: Tag) => <span className="ms-num ms-third">{scan_ms} ms</span> }] : []),
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

function PhoneRow({ tag }: { tag: Tag }) {
  const say = useSay();
  return (
    <>
      <span className="ms-row">
        <span className="ms-bold ms-cut">{tag.name}</span>
        <span className="ms-third ms-cut ms-grow">{say(tag.description)}</span>
      </span>
      <span className="ms-row">
        <span className="ms-grow">
          <QualityValue tag={tag.tag} format={formatOf(tag)} width={0} />
        </span>
        <LiveAge tag={tag.tag} />
      </span>
    </>
  );
}

const matches = ({ name, path, address }: Tag, search: string) => `${name} ${path} ${tagAddressText(address)}`.toLowerCase().includes(search);

/** The tags that read from a connection, with live values: only the rows in sight are in the feed. */
export function ConnectionTags({ connection, polled }: { connection: Connection; polled: boolean }) {
  const t = useWords(connectWords);
  const say = useSay();
  const failed = useFailed();
  const navigate = useNavigate();
  const { may } = useSession();
  const [text, setText] = useState("");
  const [visible, setVisible] = useState<readonly Tag[]>([]);
  const [editing, setEditing] = useState<{ tag: Tag; asset: AssetDetail } | null>(null);
  const tags = useResource(`${connection.id} ${connection.tag_count}`, (signal) => readTags(connection.id, signal));
  useLiveSet(visible.map(({ tag }) => tag));
  const open = (tag: Tag) => api.get<AssetDetail>(`/assets/${tag.asset ?? ""}`).then((asset) => setEditing({ tag, asset }), failed);
  const search = text.trim().toLowerCase();
  const add = may("engineer") ? <Button onClick={() => void navigate(`/connect/${connection.id}/tags`)}>{t("addTags")}</Button> : null;
  return (
    <PageState state={tags} rows={6}>
      {({ items, total }) => {
        const shown = search === "" ? items : items.filter((tag) => matches(tag, search));
        const width = Math.min(14, Math.max(8, ...items.slice(0, 500).map((tag) => widthOf(tag.low, tag.high, tag.decimals))));
        if (total === 0) return <Empty title={t("noTagsTitle")} text={t("noTagsText")} action={add} />;
        return (
          <>
            <div className="ms-filters">
              <h2>{t("tagsHere", { n: total })}</h2>
              <Input allowClear value={text} onChange={(event) => setText(event.target.value)} placeholder={t("filterTags")} aria-label={t("filterTags")} />
              <span className="ms-grow" />
              {add}
            </div>
            <div className="ms-panel ms-grid-place">
              <Grid
                label={t("tagsHere", { n: total })}
                columns={columnsOf({ t, say, width, polled, edit: may("engineer") ? (tag) => void open(tag) : null })}
                rows={shown}
                rowKey={({ id }) => id}
                onOpen={({ tag }) => void navigate(`/trend?tags=${tag}`)}
                onVisible={setVisible}
                phone={(tag) => <PhoneRow tag={tag} />}
                empty={<NoneMatch total={items.length} onClear={() => setText("")} />}
              />
            </div>
            {editing ? <TagDrawer open tag={editing.tag} asset={editing.asset} onClose={() => setEditing(null)} onChanged={tags.reload} /> : null}
          </>
        );
      }}
    </PageState>
  );
}
