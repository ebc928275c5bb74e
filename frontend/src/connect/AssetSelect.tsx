import { useCallback, useEffect, useRef, useState } from "react";
import { TreeSelect } from "antd";
import { api } from "../api";
import { useFailed } from "../failed";
import type { Asset, Page } from "../types";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";

const CHILDREN = 200;
const HITS = 50;
const ROOT = "root";
const TYPING_MS = 200;

export interface ChosenAsset {
  id: string;
  name: string;
  path: string;
}
interface Node {
  id: string;
  pId: string;
  value: string;
  title: string;
  path: string;
  isLeaf: boolean;
}

/** Choose an asset: the tree opens branch by branch, typing searches the whole plant. */
export function AssetSelect({ id, value, onChange, invalid }: { id?: string; value: ChosenAsset | null; onChange: (asset: ChosenAsset) => void; invalid: boolean }) {
  const t = useWords(connectWords);
  const say = useSay();
  const failed = useFailed();
  const [nodes, setNodes] = useState<readonly Node[]>([]);
  const [hits, setHits] = useState<readonly Node[] | null>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const load = useCallback(
    async (parent: string | null) => {
      const { items } = await api.get<Page<Asset>>("/assets", { parent: parent ?? ROOT, limit: CHILDREN });
      const fresh = items.map((asset) => ({ id: asset.id, pId: parent ?? ROOT, value: asset.id, title: say(asset.name), path: asset.path, isLeaf: asset.child_count === 0 }));
      setNodes((before) => [...before.filter(({ pId }) => pId !== (parent ?? ROOT)), ...fresh]);
    },
    [say],
  );
  useEffect(() => {
    load(null).catch(failed);
  }, [load, failed]);
  const find = (text: string) => {
    clearTimeout(timer.current);
    if (text.trim() === "") {
      setHits(null);
      return;
    }
    timer.current = setTimeout(() => {
      api
        .get<Page<Asset>>("/assets", { search: text.trim(), limit: HITS })
        .then(({ items }) => setHits(items.map((asset) => ({ id: asset.id, pId: ROOT, value: asset.id, title: `${say(asset.name)}  ${asset.path}`, path: asset.path, isLeaf: true }))), failed);
    }, TYPING_MS);
  };
  return (
    <TreeSelect
      className="ms-asset-select"
      {...(id === undefined ? { "aria-label": t("chooseAsset") } : { id })}
      placeholder={t("chooseAsset")}
      status={invalid ? "error" : ""}
      treeDataSimpleMode={{ id: "id", pId: "pId", rootPId: ROOT }}
      treeData={[...(hits ?? nodes)]}
      loadData={async ({ value: parent }) => load(String(parent)).catch(failed)}
      showSearch={{ filterTreeNode: false, onSearch: find }}
      labelInValue
      {...(value && { value: { value: value.id, label: value.name } })}
      onChange={(next: { value: string; label: React.ReactNode }) => {
        const node = (hits ?? nodes).find(({ id }) => id === next.value);
        onChange({ id: next.value, name: node?.title.split("  ")[0] ?? String(next.label), path: node?.path ?? "" });
        setHits(null);
      }}
    />
  );
}
