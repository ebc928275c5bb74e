import { api } from "../api";
import type { Page, Tag } from "../types";
import { FoundSelect, type PickProps } from "./FoundSelect";

const FOUND = 20;

interface TagPickProps extends PickProps {
  placeholder: string;
  /** Which of the tags found can be chosen. */
  fits?: (tag: Tag) => boolean;
}

/** A tag, found on the server by name or path. */
export function TagPick({ fits = () => true, ...pick }: TagPickProps) {
  const find = async (search: string, signal: AbortSignal) => {
    const { items } = await api.get<Page<Tag>>("/tags", { search, limit: FOUND }, signal);
    return items.filter(fits).map(({ id, path }) => ({ value: id, label: path }));
  };
  const name = async (id: string, signal: AbortSignal) => (await api.get<Tag>(`/tags/${id}`, undefined, signal)).path;
  return <FoundSelect {...pick} of="tag" find={find} name={name} />;
}
