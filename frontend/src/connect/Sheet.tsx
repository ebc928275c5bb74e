import { type ClipboardEvent, type FocusEvent, type KeyboardEvent, useId, useRef, useState } from "react";
import { Button } from "antd";
import { useVirtualizer } from "@tanstack/react-virtual";
import type { Words } from "../types";
import { spellingOf, useUnits } from "../units";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { Icon } from "../components/Icon";
import { filledDown, paste, type Pasted, type RowFault, type SheetColumn, type SheetRow, shortTitle, withCell } from "./rows";
import { choiceText } from "./SchemaForm";

const ROW = 32;
const NUMBER_WIDTH = 48;
const REMOVE_WIDTH = 36;
const OVERSCAN = 8;

export interface SheetProps {
  rows: readonly SheetRow[];
  /** Those that pasted names may mean; `shown` are those on the screen. */
  columns: readonly SheetColumn[];
  shown: readonly SheetColumn[];
  faults: readonly RowFault[];
  onChange: (rows: readonly SheetRow[], changed: ReadonlySet<number>) => void;
  /** Told what of a pasted table was not taken. */
  onPasted: (pasted: Pasted) => void;
  /** A column that follows from the others. */
  computed?: { title: string; width: number; text: (row: SheetRow) => string };
}

interface CellProps {
  /** Id of the list of units. */
  units: string;
  row: SheetRow;
  index: number;
  column: SheetColumn;
  place: number;
  fault: Words | undefined;
  enter: (text: string) => void;
}

function kindWord(column: SheetColumn, choice: string, t: ReturnType<typeof useWords<typeof connectWords>>): string {
  const key = `kind_${choice}`;
  return column.key === "kind" && key in connectWords ? t(key as keyof typeof connectWords) : choiceText(choice, t);
}

function Cell({ units, row, index, column, place, fault, enter }: CellProps) {
  const t = useWords(connectWords);
  const say = useSay();
  const value = row.cells[column.key] ?? "";
  const shared = {
    className: "ms-sheet-input",
    "data-row": index,
    "data-column": place,
    "aria-label": `${say(column.title)} ${index + 1}`,
    "aria-invalid": fault !== undefined,
    title: fault ? say(fault) : undefined,
    value,
  };
  if (column.kind === "choice") {
    const known = value === "" || column.choices.includes(value);
    return (
      <select {...shared} onChange={(event) => enter(event.target.value)}>
        <option value="">{column.byDefault === "" ? "" : kindWord(column, column.byDefault, t)}</option>
        {column.choices.map((choice) => (
          <option key={choice} value={choice}>
            {kindWord(column, choice, t)}
          </option>
        ))}
        {known ? null : <option value={value}>{value}</option>}
      </select>
    );
  }
  const digits = column.kind === "number" || column.kind === "whole";
  return (
    <input
      {...shared}
      className={digits ? "ms-sheet-input ms-num ms-grid-end" : "ms-sheet-input"}
      inputMode={digits ? "decimal" : "text"}
      placeholder={column.byDefault}
      list={column.kind === "unit" ? units : undefined}
      autoComplete="off"
      spellCheck={false}
      onChange={(event) => enter(event.target.value)}
    />
  );
}

/** Rows edited as in a spreadsheet: paste, arrow keys, fill down; only the rows in sight are in the document. */
export function Sheet({ rows, columns, shown, faults, onChange, onPasted, computed }: SheetProps) {
  const t = useWords(connectWords);
  const say = useSay();
  const scroll = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => scroll.current, estimateSize: () => ROW, overscan: OVERSCAN, getItemKey: (index) => rows[index]?.key ?? index });
  const found = new Map(faults.map(({ rowKey, field, text }) => [`${rowKey} ${field}`, text]));
  const wrongRows = new Set(faults.map(({ rowKey }) => rowKey));
  const unitList = useId();
  const units = useUnits().value?.items ?? [];
  const [last, setLast] = useState<{ row: number; column: number } | null>(null);
  const widths = [...shown.map(({ width }) => width), ...(computed ? [computed.width] : [])];
  const template = { gridTemplateColumns: [`${NUMBER_WIDTH}px`, ...widths.map((width) => `minmax(${width}px, ${width}fr)`), `${REMOVE_WIDTH}px`].join(" ") };
  const minWidth = widths.reduce((sum, width) => sum + width, NUMBER_WIDTH + REMOVE_WIDTH);
  const fill = (place: { row: number; column: number }) => {
    const column = shown[place.column];
    if (column) onChange(filledDown(rows, place.row, column.key), new Set(rows.slice(place.row + 1).map(({ key }) => key)));
  };

  const put = (index: number, column: string, text: string) => {
    const row = rows[index];
    if (row) onChange(rows.with(index, withCell(row, column, text)), new Set([row.key]));
  };
  const focus = (row: number, column: number) => {
    virtual.scrollToIndex(row);
    requestAnimationFrame(() => scroll.current?.querySelector<HTMLElement>(`[data-row="${row}"][data-column="${column}"]`)?.focus());
  };
  const at = (target: EventTarget) => {
    const { row, column } = (target as HTMLElement).dataset;
    return row === undefined || column === undefined ? null : { row: Number(row), column: Number(column) };
  };
  const pressed = (event: KeyboardEvent) => {
    const place = at(event.target);
    if (!place) return;
    const isSelect = event.target instanceof HTMLSelectElement;
    const down = event.key === "Enter" || (event.key === "ArrowDown" && !isSelect);
    if (down && place.row + 1 < rows.length) focus(place.row + 1, place.column);
    else if (event.key === "ArrowUp" && !isSelect && place.row > 0) focus(place.row - 1, place.column);
    else if (event.key.toLowerCase() === "d" && event.shiftKey && (event.ctrlKey || event.metaKey)) fill(place);
    else if (event.key.toLowerCase() === "d" && (event.ctrlKey || event.metaKey) && place.row > 0) {
      const column = shown[place.column];
      const above = rows[place.row - 1];
      if (column && above) put(place.row, column.key, above.cells[column.key] ?? "");
      if (place.row + 1 < rows.length) focus(place.row + 1, place.column);
    } else if (!down) return;
    event.preventDefault();
  };
  const pasted = (event: ClipboardEvent) => {
    const text = event.clipboardData.getData("text/plain");
    const place = at(event.target);
    if (!place || !/[\t\n]/.test(text.trimEnd())) return;
    event.preventDefault();
    const result = paste(rows, columns, shown, place, text.replaceAll("\r\n", "\n").replaceAll("\r", "\n"));
    onChange(result.rows, new Set(result.rows.map(({ key }) => key)));
    onPasted(result);
  };
  const focused = (event: FocusEvent) => setLast(at(event.target));
  const lastColumn = last ? shown[last.column] : undefined;
  return (
    <>
    <datalist id={unitList}>
      {units.map((unit) => (
        <option key={unit.code} value={spellingOf(unit, units)} label={unit.code} />
      ))}
    </datalist>
    <div className="ms-sheet-tools">
      <Button size="small" disabled={!lastColumn || !last || rows.length < 2} onClick={() => last && fill(last)}>
        {lastColumn && last ? t("fillDown", { column: shortTitle(say(lastColumn.title)), row: last.row + 1 }) : t("fillDownNone")}
      </Button>
    </div>
    <div ref={scroll} className="ms-sheet" onKeyDown={pressed} onPaste={pasted} onFocus={focused} role="table" aria-label={t("sheet")} aria-rowcount={rows.length + 1}>
      <div className="ms-sheet-row ms-sheet-head" role="row" style={{ ...template, minWidth }}>
        <span role="columnheader" className="ms-grid-cell ms-grid-end" aria-label={t("wholeRow")} />
        {shown.map(({ key, title, required }) => (
          <span key={key} role="columnheader" className="ms-grid-cell" title={say(title)}>
            {shortTitle(say(title))}
            {required ? " *" : ""}
          </span>
        ))}
        {computed ? (
          <span role="columnheader" className="ms-grid-cell">
            {computed.title}
          </span>
        ) : null}
        <span role="columnheader" aria-label={t("remove")} />
      </div>
      <div role="rowgroup" style={{ position: "relative", height: virtual.getTotalSize(), minWidth }}>
        {virtual.getVirtualItems().map(({ index, start, key }) => {
          const row = rows[index] as SheetRow;
          return (
            <div key={key} role="row" aria-rowindex={index + 2} className="ms-sheet-row ms-sheet-body" data-wrong={wrongRows.has(row.key)} style={{ ...template, transform: `translateY(${start}px)` }}>
              <span role="rowheader" className="ms-grid-cell ms-grid-end ms-third ms-num">
                {index + 1}
              </span>
              {shown.map((column, place) => (
                <span key={column.key} role="cell" className="ms-sheet-cell">
                  <Cell units={unitList} row={row} index={index} column={column} place={place} fault={found.get(`${row.key} ${column.key}`)} enter={(text) => put(index, column.key, text)} />
                </span>
              ))}
              {computed ? (
                <span role="cell" className="ms-grid-cell ms-third ms-cut" title={computed.text(row)}>
                  {computed.text(row)}
                </span>
              ) : null}
              <span role="cell" className="ms-sheet-remove">
                <button type="button" className="ms-plain" aria-label={t("removeRow", { n: index + 1 })} onClick={() => onChange(rows.toSpliced(index, 1), new Set([row.key]))}>
                  <Icon name="close" size={14} />
                </button>
              </span>
            </div>
          );
        })}
      </div>
    </div>
    </>
  );
}
