import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { Button, Input } from "antd";
import { useAlarmList } from "../alarms/store";
import { api } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { Icon } from "../components/Icon";
import { Failure, Loading, NoneMatch } from "../components/PageState";
import { useTouch } from "../media";
import { useResource } from "../resource";
import { useSession } from "../session";
import { rows as heights } from "../theme/tokens";
import type { Alarm, Asset, Page } from "../types";
import { useSay, useWords } from "../words";
import { plantWords } from "../words/plant";
import type { Tree, TreeRow } from "./tree";

const INDENT = 16;
const SEARCH_LIMIT = 100;
const TYPING_MS = 150;

/** The worst alarm below each path; the store's order is by urgency, so the first one found stands. */
function worstBelow(alarms: readonly Alarm[]): ReadonlyMap<string, Alarm> {
  const worst = new Map<string, Alarm>();
  for (const alarm of alarms) {
    const parts = alarm.path.split("/");
    for (let length = parts.length - 1; length > 0; length -= 1) {
      const path = parts.slice(0, length).join("/");
      if (worst.has(path)) continue;
      worst.set(path, alarm);
    }
  }
  return worst;
}

/** Found assets as a flat list: each names its ancestors beside it. */
function foundRows(items: readonly Asset[]): TreeRow[] {
  return items.map((asset) => ({ type: "asset", asset, depth: 0, open: false }));
}

function useSearch(): { text: string; setText: (text: string) => void; found: readonly TreeRow[] | null; total: number } {
  const [text, setText] = useState("");
  const [asked, setAsked] = useState("");
  useEffect(() => {
    const timer = setTimeout(() => setAsked(text.trim()), TYPING_MS);
    return () => clearTimeout(timer);
  }, [text]);
  const result = useResource(asked === "" ? null : asked, (signal) => api.get<Page<Asset>>("/assets", { search: asked, limit: SEARCH_LIMIT }, signal));
  const rows = useMemo(() => (result.value ? foundRows(result.value.items) : null), [result.value]);
  return { text, setText, found: text.trim() === "" ? null : rows, total: result.value?.total ?? 0 };
}

function Node({ row, tree, chosen, worst, searching }: NodeProps) {
  const t = useWords(plantWords);
  const say = useSay();
  if (row.type === "more") {
    return (
      <Button type="link" size="small" onClick={() => tree.more(row.parent)}>
        {t("showMoreOf", { left: row.left })}
      </Button>
    );
  }
  const { asset, open } = row;
  const alarm = worst.get(asset.path);
  const above = asset.ancestors?.map(({ name }) => say(name)).join(" / ");
  return (
    <>
      {asset.child_count > 0 && !searching ? (
        <button
          type="button"
          tabIndex={-1}
          className="ms-plain ms-tree-arrow"
          data-open={open}
          aria-hidden="true"
          onClick={(event) => {
            event.stopPropagation();
            tree.toggle(asset);
          }}
        >
          <Icon name="expand" size={14} />
        </button>
      ) : (
        <span className="ms-tree-arrow" />
      )}
      <span className="ms-cut ms-grow" title={above ? `${above} / ${say(asset.name)}` : say(asset.name)}>
        {say(asset.name)}
        {searching && above ? <span className="ms-third"> {above}</span> : null}
      </span>
      {alarm ? <AlarmSign priority={alarm.priority} state={alarm.state} size={16} /> : null}
      {asset.tag_count > 0 && !chosen ? <span className="ms-third ms-num ms-caption">{asset.tag_count}</span> : null}
    </>
  );
}

interface NodeProps {
  row: TreeRow;
  tree: Tree;
  chosen: boolean;
  searching: boolean;
  worst: ReadonlyMap<string, Alarm>;
}

interface TreeSideProps {
  tree: Tree;
  chosen: string | undefined;
  onChoose: (asset: Asset) => void;
  onAdd: () => void;
}

/** The plant as a tree: flat, virtual, searched on the server. */
export function TreeSide({ tree, chosen, onChoose, onAdd }: TreeSideProps) {
  const t = useWords(plantWords);
  const { may } = useSession();
  const { alarms } = useAlarmList();
  const worst = useMemo(() => worstBelow(alarms), [alarms]);
  const { text, setText, found, total } = useSearch();
  const rows = found ?? tree.rows;
  if (!tree.loaded) return tree.error ? <Failure error={tree.error} onRetry={tree.reload} /> : <Loading rows={8} />;
  return (
    <>
      <div className="ms-tree-head ms-row">
        <Input allowClear value={text} onChange={(event) => setText(event.target.value)} placeholder={t("searchTree")} aria-label={t("searchTree")} />
        {may("engineer") ? (
          <Button onClick={onAdd} aria-label={t("addAsset")} title={t("addAsset")}>
            +
          </Button>
        ) : null}
      </div>
      {found !== null && found.length === 0 ? <NoneMatch total={total} onClear={() => setText("")} /> : null}
      <Rows rows={rows} tree={tree} chosen={chosen} worst={worst} searching={found !== null} onChoose={onChoose} />
    </>
  );
}

interface RowsProps {
  rows: readonly TreeRow[];
  tree: Tree;
  chosen: string | undefined;
  worst: ReadonlyMap<string, Alarm>;
  searching: boolean;
  onChoose: (asset: Asset) => void;
}

function Rows({ rows, tree, chosen, worst, searching, onChoose }: RowsProps) {
  const t = useWords(plantWords);
  const scroll = useRef<HTMLDivElement>(null);
  const touch = useTouch();
  const height = touch ? heights.touch : heights.compact;
  const [active, setActive] = useState(0);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroll.current, estimateSize: () => height, overscan: 8 });
  const at = Math.min(active, Math.max(0, rows.length - 1));
  const chosenAt = rows.findIndex((row) => row.type === "asset" && row.asset.id === chosen);
  useEffect(() => {
    if (chosenAt >= 0) {
      setActive(chosenAt);
      virtual.scrollToIndex(chosenAt);
    }
  }, [chosenAt, virtual]);
  const pressed = (event: KeyboardEvent) => {
    const row = rows[at];
    if (event.target !== scroll.current || !row) return;
    const move = (to: number) => {
      const next = Math.max(0, Math.min(rows.length - 1, to));
      setActive(next);
      virtual.scrollToIndex(next);
    };
    if (event.key === "ArrowDown") move(at + 1);
    else if (event.key === "ArrowUp") move(at - 1);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(rows.length - 1);
    else if (row.type === "more" && event.key === "Enter") tree.more(row.parent);
    else if (row.type === "more") return;
    else if (event.key === "Enter" || event.key === " ") onChoose(row.asset);
    else if (event.key === "ArrowRight") {
      if (row.open) move(at + 1);
      else if (row.asset.child_count > 0) tree.toggle(row.asset, true);
    } else if (event.key === "ArrowLeft") {
      if (row.open) tree.toggle(row.asset, false);
      else move(rows.findLastIndex((other, index) => index < at && other.depth < row.depth));
    } else return;
    event.preventDefault();
  };
  return (
    <div ref={scroll} className="ms-tree ms-inset" role="tree" aria-label={t("tree")} tabIndex={0} onKeyDown={pressed} aria-activedescendant={rows.length > 0 ? `ms-node-${at}` : undefined}>
      <div role="presentation" style={{ position: "relative", height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const row = rows[index] as TreeRow;
          const isChosen = row.type === "asset" && row.asset.id === chosen;
          const choose = () => {
            setActive(index);
            if (row.type === "asset") onChoose(row.asset);
          };
          return (
            <div
              key={row.type === "asset" ? row.asset.id : `more-${row.parent}`}
              id={`ms-node-${index}`}
              role="treeitem"
              aria-level={row.depth + 1}
              aria-selected={isChosen}
              aria-expanded={row.type === "asset" && row.asset.child_count > 0 && !searching ? row.open : undefined}
              className={index === at ? "ms-tree-node ms-tree-active" : "ms-tree-node"}
              style={{ height, transform: `translateY(${start}px)`, paddingInlineStart: 4 + row.depth * INDENT }}
              onClick={choose}
            >
              <Node row={row} tree={tree} chosen={isChosen} worst={worst} searching={searching} />
            </div>
          );
        })}
      </div>
    </div>
  );
}
