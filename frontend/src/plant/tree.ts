/** The asset tree as a flat list: 200 children a request, opened branches in place. */

import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { api } from "../api";
import type { Asset, Page } from "../types";

export const CHILDREN_A_REQUEST = 200;
export const ROOT = "root";

export interface Branch {
  children: readonly Asset[];
  total: number;
}
export type TreeRow = { type: "asset"; asset: Asset; depth: number; open: boolean } | { type: "more"; parent: string; left: number; depth: number };

/** The rows in sight order: each opened branch follows its asset, and what is not yet fetched is one row. */
export function flatten(branches: ReadonlyMap<string, Branch>, open: ReadonlySet<string>, parent = ROOT, depth = 0): TreeRow[] {
  const branch = branches.get(parent);
  if (!branch) return [];
  const rows: TreeRow[] = [];
  for (const asset of branch.children) {
    const isOpen = open.has(asset.id);
    rows.push({ type: "asset", asset, depth, open: isOpen });
    if (isOpen) rows.push(...flatten(branches, open, asset.id, depth + 1));
  }
  const left = branch.total - branch.children.length;
  if (left > 0) rows.push({ type: "more", parent, left, depth });
  return rows;
}

export interface Tree {
  rows: readonly TreeRow[];
  loaded: boolean;
  error: unknown;
  toggle: (asset: Asset, open?: boolean) => void;
  more: (parent: string) => void;
  reload: () => void;
  reveal: (ancestors: readonly string[]) => void;
}

export function useTree(): Tree {
  const [branches, setBranches] = useState<ReadonlyMap<string, Branch>>(new Map());
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const [error, setError] = useState<unknown>(null);
  const asked = useRef(new Set<string>());

  const fetchFrom = useCallback((parent: string, offset: number) => {
    const key = `${parent}:${offset}`;
    if (asked.current.has(key)) return;
    asked.current.add(key);
    api.get<Page<Asset>>("/assets", { parent, offset, limit: CHILDREN_A_REQUEST }).then(
      ({ items, total }) => {
        setError(null);
        setBranches((before) => {
          const kept = offset === 0 ? [] : (before.get(parent)?.children ?? []);
          return new Map(before).set(parent, { children: [...kept, ...items], total });
        });
      },
      (reason: unknown) => {
        asked.current.delete(key);
        setError(reason);
      },
    );
  }, []);

  useEffect(() => fetchFrom(ROOT, 0), [fetchFrom]);

  const roots = branches.get(ROOT)?.children;
  const first = roots?.length === 1 ? roots[0]?.id : undefined;
  const branchOfFirst = first === undefined ? undefined : branches.get(first)?.children;
  const second = branchOfFirst?.length === 1 ? branchOfFirst[0]?.id : undefined;
  // A way without a choice is walked at once: one enterprise, one site.
  useEffect(() => {
    for (const only of [first, second]) {
      if (only === undefined) continue;
      setOpen((before) => new Set(before).add(only));
      fetchFrom(only, 0);
    }
  }, [first, second, fetchFrom]);

  const toggle = useCallback(
    (asset: Asset, wanted?: boolean) => {
      setOpen((before) => {
        const next = new Set(before);
        if (wanted ?? !before.has(asset.id)) next.add(asset.id);
        else next.delete(asset.id);
        return next;
      });
      fetchFrom(asset.id, 0);
    },
    [fetchFrom],
  );
  const more = useCallback((parent: string) => fetchFrom(parent, branches.get(parent)?.children.length ?? 0), [fetchFrom, branches]);
  const reveal = useCallback(
    (ancestors: readonly string[]) => {
      if (ancestors.length === 0) return;
      setOpen((before) => new Set([...before, ...ancestors]));
      for (const ancestor of ancestors) fetchFrom(ancestor, 0);
    },
    [fetchFrom],
  );
  const reload = useCallback(() => {
    asked.current.clear();
    fetchFrom(ROOT, 0);
    for (const parent of open) fetchFrom(parent, 0);
  }, [fetchFrom, open]);
  const rows = useMemo(() => flatten(branches, open), [branches, open]);
  return { rows, loaded: branches.has(ROOT), error, toggle, more, reload, reveal };
}
