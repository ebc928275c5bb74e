import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { usePhone, useTouch } from "../media";
import { rows as heights } from "../theme/tokens";

export interface Column<T> {
  key: string;
  title: ReactNode;
  /** A track of the CSS grid: `120px`, `minmax(160px, 2fr)`. */
  width: string;
  end?: boolean;
  /** How the rows are sorted by it. */
  sort?: "ascending" | "descending" | undefined;
  cell: (row: T) => ReactNode;
}

export interface GridProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  /** How many there are on the server; the grid asks for more near its end. */
  total?: number;
  rowKey: (row: T) => string;
  /** Two lines that stand for the row on a phone. */
  phone: (row: T) => ReactNode;
  onOpen?: (row: T) => void;
  selected?: ReadonlySet<string>;
  onSelect?: (row: T) => void;
  onMore?: () => void;
  onVisible?: (rows: readonly T[]) => void;
  empty?: ReactNode;
}

const PHONE_ROW = 64;
const OVERSCAN = 6;
const MORE_WITHIN = 40;

/** Long tables: only the rows in sight are in the document, and a changing cell renders nothing but itself. */
export function Grid<T>(props: GridProps<T>) {
  const { columns, rows, rowKey, phone, onMore, onVisible, empty } = props;
  const scroll = useRef<HTMLDivElement>(null);
  const isPhone = usePhone();
  const touch = useTouch();
  const [active, setActive] = useState(0);
  const height = isPhone ? PHONE_ROW : touch ? heights.touch : heights.compact;
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => height,
    overscan: OVERSCAN,
    getItemKey: (index) => rowKey(rows[index] as T),
  });
  useEffect(() => virtual.measure(), [virtual, height]);
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? -1;
  useEffect(() => {
    if (onMore && last >= 0 && last > rows.length - MORE_WITHIN && rows.length < (props.total ?? 0)) onMore();
  }, [onMore, last, rows.length, props.total]);
  useEffect(() => {
    onVisible?.(rows.slice(first, last + 1));
  }, [onVisible, rows, first, last]);

  const at = Math.min(active, Math.max(0, rows.length - 1));
  const move = (to: number) => {
    const next = Math.max(0, Math.min(rows.length - 1, to));
    setActive(next);
    virtual.scrollToIndex(next);
  };
  const pressed = (event: KeyboardEvent) => {
    if (event.target !== scroll.current) return;
    const row = rows[at];
    const page = Math.max(1, Math.floor((scroll.current?.clientHeight ?? height) / height) - 1);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page };
    const step = steps[event.key];
    if (step !== undefined) move(at + step);
    else if (event.key === "Home") move(0);
    else if (event.key === "End") move(rows.length - 1);
    else if (event.key === "Enter" && row) props.onOpen?.(row);
    else if (event.key === " " && row) props.onSelect?.(row);
    else return;
    event.preventDefault();
  };
  const template = { gridTemplateColumns: columns.map(({ width }) => width).join(" ") };
  const minWidth = isPhone ? undefined : columns.reduce((sum, { width }) => sum + leastWidth(width), 0);
  return (
    <div
      ref={scroll}
      className="ms-grid ms-inset"
      role="grid"
      aria-label={props.label}
      aria-rowcount={props.total ?? rows.length}
      aria-multiselectable={props.onSelect ? true : undefined}
      aria-activedescendant={items.some(({ index }) => index === at) ? `${props.label}-${at}` : undefined}
      tabIndex={0}
      onKeyDown={pressed}
    >
      {isPhone ? null : (
        <div className="ms-grid-head" role="row" aria-rowindex={1} style={{ ...template, minWidth }}>
          {columns.map(({ key, title, end, sort }) => (
            <div key={key} role="columnheader" aria-sort={sort} className={end ? "ms-grid-cell ms-grid-end" : "ms-grid-cell"}>
              {title}
            </div>
          ))}
        </div>
      )}
      {rows.length === 0 && empty ? (
        <div role="row">
          <div role="gridcell">{empty}</div>
        </div>
      ) : null}
      <div role="rowgroup" style={{ position: "relative", height: virtual.getTotalSize(), minWidth }}>
        {items.map(({ index, start, key }) => (
          <Row
            key={key}
            {...props}
            row={rows[index] as T}
            index={index}
            active={index === at}
            onChoose={() => setActive(index)}
            style={{ ...(isPhone ? {} : template), height, transform: `translateY(${start}px)` }}
            content={isPhone ? phone : null}
          />
        ))}
      </div>
    </div>
  );
}

function leastWidth(width: string): number {
  return Number(/(\d+)px/.exec(width)?.[1] ?? 80);
}

interface RowProps<T> extends GridProps<T> {
  row: T;
  index: number;
  active: boolean;
  onChoose: () => void;
  style: React.CSSProperties;
  content: ((row: T) => ReactNode) | null;
}

function Row<T>({ row, index, active, onChoose, style, content, columns, label, selected, rowKey, onOpen }: RowProps<T>) {
  const open = (event: React.MouseEvent<HTMLElement>) => {
    const target = event.target as HTMLElement;
    // What opens from a row, as the menu of its actions, lies elsewhere in the page; its clicks come by here all the same.
    if (!event.currentTarget.contains(target)) return;
    onChoose();
    const inside = target.closest("a, button, input, label, [role=button]");
    if (!inside) onOpen?.(row);
  };
  return (
    <div
      id={`${label}-${index}`}
      className={active ? "ms-grid-row ms-grid-active" : "ms-grid-row"}
      role="row"
      aria-rowindex={index + 2}
      aria-selected={selected ? selected.has(rowKey(row)) : undefined}
      style={style}
      onClick={open}
    >
      {content ? (
        <div role="gridcell" className="ms-grid-two">
          {content(row)}
        </div>
      ) : (
        columns.map(({ key, cell, end }) => (
          <div key={key} role="gridcell" className={end ? "ms-grid-cell ms-grid-end" : "ms-grid-cell"}>
            {cell(row)}
          </div>
        ))
      )}
    </div>
  );
}
