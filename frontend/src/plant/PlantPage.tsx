import { useCallback, useEffect, useState } from "react";
import { useNavigate, useParams } from "react-router";
import { Button, Drawer } from "antd";
import { api } from "../api";
import { Empty, PageState } from "../components/PageState";
import { Icon } from "../components/Icon";
import { useNarrow } from "../media";
import { useResource } from "../resource";
import { useSession } from "../session";
import type { Asset, AssetDetail } from "../types";
import { useWords } from "../words";
import { plantWords } from "../words/plant";
import { AssetDrawer } from "./AssetDrawer";
import { AssetView } from "./AssetView";
import { useTree } from "./tree";
import { TreeSide } from "./TreeSide";
import "./plant.css";

/** The plant by thing: the tree, and the asset chosen in it. */
export default function PlantPage() {
  const t = useWords(plantWords);
  const navigate = useNavigate();
  const { may } = useSession();
  const { assetId } = useParams();
  const narrow = useNarrow();
  const tree = useTree();
  const [drawer, setDrawer] = useState(false);
  const [adding, setAdding] = useState(false);
  const asset = useResource(assetId ?? null, (signal) => api.get<AssetDetail>(`/assets/${assetId}`, {}, signal), true);
  const { reveal, toggle } = tree;
  useEffect(() => {
    if (asset.value) reveal(asset.value.ancestors.map(({ id }) => id));
  }, [asset.value, reveal]);

  const choose = useCallback(
    (chosen: Asset) => {
      void navigate(`/plant/${chosen.id}`);
      if (chosen.child_count > 0) toggle(chosen, true);
      setDrawer(false);
    },
    [navigate, toggle],
  );
  const changed = (saved: Asset | null) => {
    tree.reload();
    if (saved) void navigate(`/plant/${saved.id}`);
    else void navigate("/plant");
    if (saved && saved.id === assetId) asset.reload();
  };
  const side = <TreeSide tree={tree} chosen={assetId} onChoose={choose} onAdd={() => setAdding(true)} />;
  const isEmpty = tree.loaded && tree.rows.length === 0;
  return (
    <div className="ms-plant">
      {narrow ? (
        <Drawer open={drawer} onClose={() => setDrawer(false)} placement="left" size={300} title={t("tree")} destroyOnHidden styles={{ body: { padding: 0, display: "flex", flexDirection: "column" } }}>
          {side}
        </Drawer>
      ) : (
        <aside className="ms-tree-side">{side}</aside>
      )}
      <div className="ms-plant-main">
        {assetId ? null : <h1 className="ms-hidden">{t("plant")}</h1>}
        {narrow && assetId ? (
          <div className="ms-tree-open">
            <Button onClick={() => setDrawer(true)} icon={<Icon name="menu" size={16} />}>
              {t("openTree")}
            </Button>
          </div>
        ) : null}
        {assetId ? (
          <PageState state={asset} rows={8}>
            {(value) => <AssetView key={value.id} asset={value} onChanged={changed} onTagsChanged={asset.reload} />}
          </PageState>
        ) : isEmpty ? (
          <Empty
            title={t("emptyTitle")}
            text={t("emptyText")}
            action={
              may("engineer") ? (
                <Button type="primary" onClick={() => setAdding(true)}>
                  {t("addAsset")}
                </Button>
              ) : null
            }
          />
        ) : narrow ? (
          <div className="ms-tree-page">{side}</div>
        ) : (
          <Empty title={t("pickTitle")} text={t("pickText")} />
        )}
      </div>
      <AssetDrawer open={adding} parent={asset.value ?? null} onClose={() => setAdding(false)} onSaved={changed} />
    </div>
  );
}
