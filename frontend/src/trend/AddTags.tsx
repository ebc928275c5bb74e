import { useEffect, useState } from "react";
import { App, Select } from "antd";
import { api } from "../api";
import { useFailed } from "../failed";
import type { Page, Tag } from "../types";
import { useSay, useWords } from "../words";
import { trendWords } from "../words/trend";
import { TAGS_MAX } from "./lanes";
import { namesOf } from "./names";

const QUIET_MS = 150;
const HITS_MAX = 20;

async function tagNamed(name: string): Promise<Tag | undefined> {
  const { items } = await api.get<Page<Tag>>("/tags", { search: name, limit: HITS_MAX });
  const same = (tag: Tag) => [tag.name, tag.path, String(tag.tag)].some((each) => each.toLowerCase() === name.toLowerCase());
  return items.find(same) ?? (items.length === 1 ? items[0] : undefined);
}

/** Find a tag by name, or paste a list of names from a sheet. */
export function AddTags({ shown, onAdd }: { shown: readonly number[]; onAdd: (tags: readonly Tag[]) => void }) {
  const t = useWords(trendWords);
  const say = useSay();
  const failed = useFailed();
  const { message } = App.useApp();
  const [text, setText] = useState("");
  const [hits, setHits] = useState<Tag[]>([]);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const query = text.trim();
    if (query === "") return;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      api.get<Page<Tag>>("/tags", { search: query, limit: HITS_MAX }, abort.signal).then(
        ({ items }) => setHits(items),
        (error: unknown) => !abort.signal.aborted && failed(error),
      );
    }, QUIET_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text, failed]);
  const add = (tags: readonly Tag[]) => {
    const fresh = tags.filter(({ tag }) => !shown.includes(tag));
    const room = TAGS_MAX - shown.length;
    if (fresh.length > room) message.warning(t("tooMany", { n: TAGS_MAX }));
    if (fresh.length > 0 && room > 0) onAdd(fresh.slice(0, room));
    setText("");
  };
  const paste = async (names: readonly string[]) => {
    setBusy(true);
    try {
      const found = await Promise.all(names.slice(0, TAGS_MAX).map(tagNamed));
      const missing = names.filter((_, index) => index < TAGS_MAX && !found[index]);
      if (missing.length > 0) message.warning(t("namesMissing", { names: missing.slice(0, 5).join(", ") }));
      add(found.filter((tag) => tag !== undefined));
    } catch (error) {
      failed(error);
    } finally {
      setBusy(false);
    }
  };
  const options = text.trim() === "" ? [] : hits.map((tag) => ({ value: tag.tag, tag, disabled: shown.includes(tag.tag) }));
  return (
    <div
      className="ms-trend-add"
      onPaste={(event) => {
        const names = namesOf(event.clipboardData.getData("text/plain"));
        if (names.length < 2) return;
        event.preventDefault();
        void paste(names);
      }}
    >
      <Select
        aria-label={t("addTag")}
        placeholder={`+ ${t("addTag")}`}
        showSearch={{ searchValue: text, onSearch: setText, filterOption: false }}
        value={null}
        loading={busy}
        options={options}
        onSelect={(_, option) => add([option.tag])}
        notFoundContent={text.trim() === "" ? null : t("addNone", { q: text.trim() })}
        optionRender={({ data }) => (
          <div className="ms-trend-option">
            <span className="ms-bold">{data.tag.name}</span> <span className="ms-third ms-num">{data.tag.unit_sign}</span>
            <div className="ms-caption ms-second ms-cut">
              {say(data.tag.description)} {data.tag.path}
            </div>
          </div>
        )}
      />
    </div>
  );
}
