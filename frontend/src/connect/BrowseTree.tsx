import { useCallback, useEffect, useState } from "react";
import { Button, Tree } from "antd";
import { request } from "../api";
import { Failure, Loading } from "../components/PageState";
import { useFailed } from "../failed";
import { signOf, useUnits } from "../units";
import { useWords } from "../words";
import { connectWords } from "../words/connect";
import type { Question } from "./Checks";
import type { BrowseNode } from "./types";

const BROWSE_MS = 60_000;
const NODES = 500;
const HEIGHT = 320;

interface TreeNode {
  key: string;
  node: BrowseNode;
  isLeaf: boolean;
  selectable: false;
  checkable: boolean;
  disableCheckbox: boolean;
  children?: TreeNode[];
}

async function nodesBelow(question: Question, parent: string | null): Promise<BrowseNode[]> {
  const answer = await request("POST", "/connections/browse", { body: { ...question, parent, limit: NODES }, timeoutMs: BROWSE_MS });
  return ((await answer.json()) as { nodes: BrowseNode[] }).nodes;
}

/** The same tree with children put below one node. */
function withChildren(tree: readonly TreeNode[], key: string, children: TreeNode[]): TreeNode[] {
  return tree.map((each) => {
    if (each.key === key) return { ...each, children };
    return each.children ? { ...each, children: withChildren(each.children, key, children) } : each;
  });
}

function* walk(tree: readonly TreeNode[]): Generator<TreeNode> {
  for (const each of tree) {
    yield each;
    if (each.children) yield* walk(each.children);
  }
}

function NodeTitle({ node, known }: { node: BrowseNode; known: boolean }) {
  const t = useWords(connectWords);
  const units = useUnits().value?.items ?? [];
  return (
    <span className="ms-browse-node">
      <span className="ms-browse-name">{node.name}</span>
      {node.address ? (
        <>
          <span className="ms-num ms-browse-value">
            {String(node.value ?? "")} <span className="ms-third">{signOf(node.unit, units)}</span>
          </span>
          <span className="ms-third ms-caption ms-browse-kind">{known ? t("alreadyTag") : node.kind ? t(`kind_${node.kind}`) : ""}</span>
        </>
      ) : null}
    </span>
  );
}

export interface BrowseTreeProps {
  question: Question;
  /** Whether a node is a tag already, here or in the sheet. */
  isKnown: (node: BrowseNode) => boolean;
  onAdd: (nodes: BrowseNode[]) => void;
}

/** What a server offers, opened folder by folder; ticked values become rows. */
export function BrowseTree({ question, isKnown, onAdd }: BrowseTreeProps) {
  const t = useWords(connectWords);
  const failed = useFailed();
  const [tree, setTree] = useState<readonly TreeNode[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [checked, setChecked] = useState<readonly string[]>([]);
  const [cut, setCut] = useState(false);
  const asked = JSON.stringify(question);

  const read = useCallback(
    async (parent: string | null): Promise<TreeNode[]> => {
      const nodes = await nodesBelow(JSON.parse(asked) as Question, parent);
      if (nodes.length >= NODES) setCut(true);
      return nodes.map((node) => ({
        key: node.id,
        node,
        isLeaf: !node.has_children,
        selectable: false,
        checkable: node.address !== null || node.has_children,
        disableCheckbox: false,
      }));
    },
    [asked],
  );
  const root = useCallback(() => {
    setError(null);
    read(null).then(setTree, setError);
  }, [read]);
  useEffect(root, [root]);

  const load = async (parent: TreeNode) => {
    if (parent.children) return;
    try {
      const children = await read(parent.key);
      setTree((before) => withChildren(before ?? [], parent.key, children));
      setChecked((before) => (before.includes(parent.key) ? [...before, ...children.map(({ key }) => key)] : before));
    } catch (reason) {
      failed(reason);
      throw reason;
    }
  };
  if (error) return <Failure error={error} onRetry={root} />;
  if (tree === null) return <Loading rows={5} />;
  if (tree.length === 0) return <p className="ms-third">{t("browseEmpty")}</p>;

  const ticked = new Set(checked);
  const chosen = [...walk(tree)].map(({ node }) => node).filter((node) => node.address !== null && ticked.has(node.id) && !isKnown(node));
  const shown = (nodes: readonly TreeNode[]): TreeNode[] =>
    nodes.map((each) => ({ ...each, disableCheckbox: each.node.address !== null && isKnown(each.node), ...(each.children && { children: shown(each.children) }) }));
  const add = () => {
    onAdd(chosen);
    setChecked([]);
  };
  return (
    <div className="ms-stack">
      <Tree<TreeNode>
        className="ms-browse"
        aria-label={t("browseTitle")}
        checkable
        blockNode
        height={HEIGHT}
        treeData={shown(tree)}
        checkedKeys={[...checked]}
        loadData={(node) => load(node)}
        onCheck={(keys, { node, checked: isOn }) => {
          setChecked((Array.isArray(keys) ? keys : keys.checked).map(String));
          if (isOn && node.node.has_children) load(node).catch(() => undefined);
        }}
        titleRender={({ node }) => <NodeTitle node={node} known={node.address !== null && isKnown(node)} />}
      />
      {cut ? <p className="ms-third ms-caption">{t("browseMore", { n: NODES })}</p> : null}
      <div className="ms-actions">
        <Button type="default" disabled={chosen.length === 0} onClick={add}>
          <span className="ms-num">{chosen.length === 0 ? t("addNoneSelected") : t("addSelected", { n: chosen.length })}</span>
        </Button>
      </div>
    </div>
  );
}
