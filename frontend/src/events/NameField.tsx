import { api } from "../api";
import { FoundSelect, type PickProps } from "../components/FoundSelect";
import type { Words } from "../types";
import { useSay, useWords } from "../words";
import { eventWords } from "../words/events";
import { nameText } from "./read";
import { namesOf } from "./use-events";

interface Choice {
  uri: string;
  name: Words;
}

/** A thing or a place as events name it: found by what people call it, or pasted as it is. */
export function NameField({ of, ...pick }: PickProps & { of: string }) {
  const t = useWords(eventWords);
  const say = useSay();
  const find = async (search: string, signal: AbortSignal) => {
    const pasted = search.includes(":") ? [{ value: search, label: search }] : [];
    const { items } = await api.get<{ items: Choice[] }>("/epcis/names", { search, of }, signal);
    return [...pasted, ...items.map(({ uri, name }) => ({ value: uri, label: say(name) }))];
  };
  const name = async (uris: string, signal: AbortSignal) => {
    const [first = ""] = uris.split("|");
    return nameText(first, await namesOf([first], signal), say);
  };
  return <FoundSelect {...pick} placeholder={t(of === "place" ? "searchPlace" : "searchThing")} of={of} find={find} name={name} />;
}
