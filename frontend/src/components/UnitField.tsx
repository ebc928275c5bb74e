import { useMemo } from "react";
import { AutoComplete } from "antd";
import { spellingOf, useUnits } from "../units";

/** A unit typed or chosen: the list holds every unit by the sign people read, and finds it by any way to write it. */
export function UnitField(given: { id?: string; "aria-label"?: string; value?: string; onChange?: (value: string) => void }) {
  const units = useUnits();
  const options = useMemo(() => {
    const items = units.value?.items ?? [];
    return items.map((unit) => {
      const value = spellingOf(unit, items);
      return { value, label: value === unit.code ? value : `${value}  ${unit.code}`, ways: [value, unit.code, ...unit.also].join(" ").toLowerCase() };
    });
  }, [units.value]);
  return <AutoComplete {...given} options={options} maxLength={32} popupMatchSelectWidth={false} showSearch={{ filterOption: (text, option) => (option?.ways ?? "").includes(text.trim().toLowerCase()) }} />;
}
