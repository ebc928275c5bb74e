import { useEffect, useRef, useState } from "react";
import { Select } from "antd";
import { useResource } from "../resource";
import { useWords } from "../words";

const TYPING_MS = 200;

export interface PickProps {
  id?: string;
  label?: string;
  value?: string | null;
  onChange?: (id: string | null) => void;
}
export interface Choice {
  value: string;
  label: string;
}
interface FoundProps extends PickProps {
  placeholder: string;
  /** Which things are found: with another word they are asked for again. */
  of: string;
  find: (search: string, signal: AbortSignal) => Promise<readonly Choice[]>;
  /** What people call the one that is chosen. */
  name: (id: string, signal: AbortSignal) => Promise<string>;
}

/** One of many things, found on the server by what is typed. */
export function FoundSelect({ id, label, value, onChange, placeholder, of, find, name }: FoundProps) {
  const t = useWords();
  const [search, setSearch] = useState("");
  const [open, setOpen] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const found = useResource(open ? `${of} ${search}` : null, (signal) => find(search, signal));
  const known = useResource(value ? `${of} ${value}` : null, (signal) => name(value ?? "", signal), true);
  const rows = found.value ?? [];
  const options = value && !rows.some((row) => row.value === value) ? [{ value, label: known.value ?? value }, ...rows] : rows;
  return (
    <Select
      id={id}
      aria-label={label}
      className="ms-full"
      allowClear
      value={value ?? null}
      placeholder={placeholder}
      loading={found.loading && open}
      onOpenChange={setOpen}
      showSearch={{
        filterOption: false,
        onSearch: (text) => {
          clearTimeout(timer.current);
          timer.current = setTimeout(() => setSearch(text.trim()), TYPING_MS);
        },
      }}
      notFoundContent={found.loading ? t("loading") : t("noneFound")}
      options={[...options]}
      onChange={(chosen: string | undefined) => onChange?.(chosen ?? null)}
    />
  );
}
