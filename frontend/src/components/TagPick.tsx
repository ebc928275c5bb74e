import { useState } from "react";
import { Select } from "antd";
import { api } from "../api";
import { useResource } from "../resource";
import type { Page, Tag } from "../types";

const FOUND = 20;

interface TagPickProps {
  value?: string | null;
  onChange?: (id: string | null) => void;
  id?: string;
  label?: string;
  placeholder: string;
  /** Which of the tags found can be chosen. */
  fits?: (tag: Tag) => boolean;
}

/** A tag, found on the server by name or path. */
export function TagPick({ value, onChange, id, label, placeholder, fits }: TagPickProps) {
  const [search, setSearch] = useState("");
  const found = useResource(search, (signal) => api.get<Page<Tag>>("/tags", { search, limit: FOUND }, signal));
  const known = useResource(value ?? null, (signal) => api.get<Tag>(`/tags/${value ?? ""}`, undefined, signal), true);
  const tags = [...(known.value ? [known.value] : []), ...(found.value?.items ?? []).filter((tag) => tag.id !== value && (fits?.(tag) ?? true))];
  return (
    <Select
      id={id}
      aria-label={label}
      className="ms-full"
      allowClear
      value={value ?? null}
      placeholder={placeholder}
      showSearch={{ filterOption: false, onSearch: setSearch }}
      options={tags.map((tag) => ({ value: tag.id, label: tag.path }))}
      onChange={(tag: string | undefined) => onChange?.(tag ?? null)}
    />
  );
}
