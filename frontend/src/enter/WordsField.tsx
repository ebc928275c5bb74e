import { Button, Input, InputNumber } from "antd";
import type { Words } from "../types";
import { useWords } from "../words";
import { enterWords } from "../words/enter";
import "./enter.css";

type Table = Record<string, Words>;

/** The words of a boolean's or an enumeration's values, in both languages. */
export function WordsField({ value, onChange }: { value?: Table | null; onChange?: (value: Table | null) => void }) {
  const t = useWords(enterWords);
  const rows = Object.entries(value ?? {});
  const put = (next: [string, Words][]) => onChange?.(next.length === 0 ? null : Object.fromEntries(next));
  const change = (index: number, key: string, words: Words) => put(rows.map((row, at) => (at === index ? [key, words] : row)));
  const free = () => {
    let number = 0;
    while (value?.[String(number)] !== undefined) number += 1;
    return String(number);
  };
  return (
    <div className="ms-stack">
      {rows.map(([key, words], index) => (
        <div key={index} className="ms-enter-words">
          <InputNumber value={Number(key)} precision={0} aria-label={t("stateNumber")} onChange={(number) => change(index, String(number ?? 0), words)} />
          <Input value={words.zh} placeholder="中文" aria-label={`${key} 中文`} maxLength={100} onChange={(event) => change(index, key, { ...words, zh: event.target.value })} />
          <Input value={words.en} placeholder="English" aria-label={`${key} English`} maxLength={100} onChange={(event) => change(index, key, { ...words, en: event.target.value })} />
          <Button type="text" aria-label={`${t("remove")} ${key}`} onClick={() => put(rows.filter((_, at) => at !== index))}>
            ✕
          </Button>
        </div>
      ))}
      <Button size="small" onClick={() => put([...rows, [free(), { en: "", zh: "" }]])}>
        {t("addWord")}
      </Button>
    </div>
  );
}
