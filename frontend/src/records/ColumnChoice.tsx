import { Button, Checkbox, Popover } from "antd";
import { useSay, useWords } from "../words";
import { recordWords } from "../words/records";
import type { Field } from "./fields";

/** Which columns a list shows; the usual ones are not written down. */
export function ColumnChoice({ fields, chosen, usual, onChange }: { fields: readonly Field[]; chosen: readonly string[]; usual: readonly string[]; onChange: (columns: readonly string[]) => void }) {
  const t = useWords(recordWords);
  const say = useSay();
  const put = (names: readonly string[]) => {
    // In the order they were chosen, those of before first.
    const next = [...chosen.filter((name) => names.includes(name)), ...names.filter((name) => !chosen.includes(name))];
    if (next.length > 0) onChange(next.join() === usual.join() ? [] : next);
  };
  return (
    <Popover
      trigger="click"
      placement="bottomRight"
      content={
        <div className="ms-stack ms-columns">
          <Checkbox.Group value={[...chosen]} onChange={put} className="ms-columns-list" options={fields.map(({ name, words }) => ({ value: name, label: say(words) }))} />
          <Button size="small" onClick={() => onChange([])}>{t("usualColumns")}</Button>
        </div>
      }
    >
      <Button aria-haspopup="dialog">{t("columns")}</Button>
    </Popover>
  );
}
