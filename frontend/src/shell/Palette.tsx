import { type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useNavigate } from "react-router";
import { Modal } from "antd";
import { api } from "../api";
import type { Hit, HitKind } from "../types";
import { useSession } from "../session";
import { type Say, useSay, useWords } from "../words";
import { shellWords } from "../words/shell";
import { shared } from "../words/shared";
import { isOpen } from "./entries";

const RECENT_MAX = 20;
const LIMIT = 20;
const TYPING_MS = 60;
const KINDS: readonly HitKind[] = ["asset", "tag", "alarm", "connection", "record", "page"];
const KIND_WORDS = { asset: "kindAsset", tag: "kindTag", alarm: "kindAlarm", connection: "kindConnection", record: "kindRecord", page: "kindPage" } as const;

const page = (id: string, name: Hit["name"]): Hit => ({ kind: "page", id, name, path: id });
const PAGES: readonly Hit[] = [
  page("/", shared.overview),
  page("/plant", shared.plant),
  page("/alarms", shared.alarms),
  page("/trend", shared.trends),
  page("/apps", shared.apps),
  page("/records/events", shared.events),
  page("/connect", shared.connect),
  page("/admin", shared.admin),
];

/** Where a found thing opens. */
export function placeOf(hit: Hit): string {
  switch (hit.kind) {
    case "asset":
      return `/plant/${hit.id}`;
    case "tag":
      return `/trend?tags=${hit.tag ?? ""}`;
    case "alarm":
      return `/alarms?alarm=${hit.id}`;
    case "connection":
      return `/connect/${hit.id}`;
    case "record":
      return `/records/${hit.of ?? ""}/${hit.id}`;
    case "page":
      return hit.id.startsWith("/") ? hit.id : `/${hit.id}`;
  }
}

function recent(): Hit[] {
  try {
    return JSON.parse(localStorage.getItem("ms-recent") ?? "[]") as Hit[];
  } catch {
    return [];
  }
}

function remember(hit: Hit): void {
  const kept = [hit, ...recent().filter((each) => placeOf(each) !== placeOf(hit))].slice(0, RECENT_MAX);
  localStorage.setItem("ms-recent", JSON.stringify(kept));
}

function startOf(q: string, pages: readonly Hit[]): Hit[] {
  const typed = q.trim().toLowerCase();
  if (typed === "") return [...recent().slice(0, 8), ...pages];
  return pages.filter((each) => each.name.en.toLowerCase().includes(typed) || each.name.zh.includes(typed));
}

/** Search as typed; a late answer to an earlier text is dropped. */
function useHits(q: string, open: boolean): { hits: Hit[]; searched: string } {
  const [found, setFound] = useState<{ q: string; hits: Hit[] }>({ q: "", hits: [] });
  useEffect(() => {
    if (!open || q.trim() === "") return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      api.get<{ items: Hit[] }>("/search", { q, limit: LIMIT }, abort.signal).then(
        ({ items }) => setFound({ q, hits: items }),
        () => undefined,
      );
    }, TYPING_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [q, open]);
  const session = useSession();
  const typed = startOf(q, PAGES.filter(({ id }) => isOpen(id, session)));
  const known = new Set(typed.map(placeOf));
  // Kind by kind: whoever looks for an asset reads the assets first.
  const more = q.trim() === "" ? [] : found.hits.filter((hit) => !known.has(placeOf(hit))).sort((one, other) => KINDS.indexOf(one.kind) - KINDS.indexOf(other.kind));
  return { hits: [...typed, ...more], searched: found.q };
}

function Row({ hit, chosen, onOpen, onChoose, t }: { hit: Hit; chosen: boolean; onOpen: () => void; onChoose: () => void; t: Say<typeof shellWords> }) {
  const say = useSay();
  const row = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (chosen) row.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  return (
    <li ref={row} id={chosen ? "ms-chosen" : undefined} role="option" aria-selected={chosen} onClick={onOpen} onPointerMove={onChoose}>
      <span className="ms-bold ms-cut">{say(hit.name)}</span>
      <span className="ms-third ms-grow ms-cut">{hit.kind === "page" ? "" : hit.about ? say(hit.about) : hit.path}</span>
      <span className="ms-second ms-caption">{hit.word ? say(hit.word) : t(KIND_WORDS[hit.kind])}</span>
    </li>
  );
}

function Search({ onClose }: { onClose: () => void }) {
  const t = useWords(shellWords);
  const navigate = useNavigate();
  const [q, setQ] = useState("");
  const [at, setAt] = useState(0);
  const [only, setOnly] = useState<HitKind | null>(null);
  const { hits: all, searched } = useHits(q, true);
  const hits = only ? all.filter(({ kind }) => kind === only) : all;
  const open = (hit: Hit, apart: boolean) => {
    remember(hit);
    if (apart) window.open(placeOf(hit), "_blank", "noopener");
    else void navigate(placeOf(hit));
    onClose();
  };
  const pressed = (event: KeyboardEvent) => {
    const hit = hits[at];
    if (event.key === "ArrowDown") setAt(Math.min(hits.length - 1, at + 1));
    else if (event.key === "ArrowUp") setAt(Math.max(0, at - 1));
    else if (event.key === "Enter" && hit) open(hit, event.ctrlKey || event.metaKey);
    else if (event.key === "Tab" && !event.shiftKey && hit) setOnly(only ? (KINDS[KINDS.indexOf(only) + 1] ?? null) : hit.kind);
    else return;
    event.preventDefault();
  };
  return (
    <div className="ms-palette">
      <input
        autoFocus
        value={q}
        onChange={(event) => {
          setQ(event.target.value);
          setAt(0);
        }}
        onKeyDown={pressed}
        placeholder={t("paletteHint")}
        role="combobox"
        aria-label={t("searchOrJump")}
        aria-expanded="true"
        aria-controls="ms-found"
        aria-activedescendant="ms-chosen"
        spellCheck={false}
      />
      <ul id="ms-found" role="listbox" aria-label={t("searchOrJump")}>
        {hits.map((hit, index) => (
          <Row key={placeOf(hit)} hit={hit} chosen={index === at} onOpen={() => open(hit, false)} onChoose={() => setAt(index)} t={t} />
        ))}
      </ul>
      <p className="ms-third ms-caption" role="status">
        {hits.length === 0 && searched === q ? t("nothingFound", { q }) : only ? t("onlyKind", { kind: t(KIND_WORDS[only]) }) : t("paletteKeys")}
      </p>
    </div>
  );
}

/** Anything by name: Ctrl K. */
export function Palette({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Modal open={open} onCancel={onClose} footer={null} closable={false} width={640} destroyOnHidden styles={{ body: { padding: 0 } }}>
      <Search onClose={onClose} />
    </Modal>
  );
}
