import { useEffect, useRef, useState } from "react";
import { Input } from "antd";

const TYPING_MS = 250;

/** A search that is asked for once typing rests; `search` is what is asked for now, by whatever way it came there. */
export function SearchField({ label, search, onSearch }: { label: string; search: string; onSearch: (text: string) => void }) {
  const [text, setText] = useState(search);
  const told = useRef(search);
  useEffect(() => {
    // Another search than the one typed here: Back, or a link.
    if (search !== told.current) setText(search);
    told.current = search;
  }, [search]);
  useEffect(() => {
    if (text === told.current) return;
    const timer = setTimeout(() => {
      told.current = text;
      onSearch(text);
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [text, onSearch]);
  return <Input allowClear value={text} onChange={(event) => setText(event.target.value)} placeholder={label} aria-label={label} />;
}
