import { useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { App, Button, Dropdown, Tabs } from "antd";
import { byUrgency, useAlarmList } from "../alarms/store";
import { api } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { useFailed } from "../failed";
import { useSession } from "../session";
import type { Alarm, Asset, AssetDetail } from "../types";
import { useSay, useWords } from "../words";
import { plantWords } from "../words/plant";
import { CommandHistory } from "../write/CommandHistory";
import { rightsWords } from "../words/rights";
import { WhoCanAt } from "../rights/WhoCanAt";
import { writeWords } from "../words/write";
import { AssetAlarms } from "./AssetAlarms";
import { AssetDrawer } from "./AssetDrawer";
import { TagTable } from "./TagTable";

type ChangeHandler = (saved: Asset | null) => void;

function Crumbs({ asset }: { asset: AssetDetail }) {
  const say = useSay();
  return (
    <nav className="ms-crumbs">
      {asset.ancestors.map(({ id, name }) => (
        <span key={id}>
          <Link to={`/plant/${id}`}>{say(name)}</Link> /
        </span>
      ))}
    </nav>
  );
}

function useAlarmsBelow(path: string): readonly Alarm[] {
  const { alarms } = useAlarmList();
  return alarms.filter((alarm) => alarm.path.startsWith(`${path}/`)).sort(byUrgency);
}

function Below({ asset }: { asset: AssetDetail }) {
  const t = useWords(plantWords);
  const say = useSay();
  if (asset.children.length === 0) return <p className="ms-second">{t("noChildren")}</p>;
  return (
    <ul className="ms-children">
      {asset.children.map((child) => (
        <li key={child.id}>
          <Link to={`/plant/${child.id}`}>{say(child.name)}</Link> <span className="ms-third ms-num">{child.tag_count > 0 ? child.tag_count : ""}</span>
        </li>
      ))}
    </ul>
  );
}

export const kindWord = (kind: Asset["kind"]) => (kind === "unit" ? "unitKind" : kind);

function Actions({ asset, onChanged }: { asset: AssetDetail; onChanged: ChangeHandler }) {
  const t = useWords(plantWords);
  const say = useSay();
  const failed = useFailed();
  const { modal, message } = App.useApp();
  const [drawer, setDrawer] = useState<"edit" | "child" | null>(null);
  const remove = () =>
    modal.confirm({
      title: t("deleteAssetSure", { name: say(asset.name) }),
      okText: t("remove"),
      cancelText: t("cancel"),
      onOk: () =>
        api.delete(`/assets/${asset.id}`).then(() => {
          message.success(t("deleted"));
          onChanged(null);
        }, failed),
    });
  const items = [
    { key: "child", label: t("addChild") },
    { key: "edit", label: t("editAsset") },
    { key: "delete", label: t("deleteAsset") },
  ];
  return (
    <>
      <Dropdown
        trigger={["click"]}
        menu={{ items, onClick: ({ key }) => (key === "delete" ? void remove() : setDrawer(key as "edit" | "child")) }}
      >
        <Button aria-haspopup="menu">{t("edit")}</Button>
      </Dropdown>
      <AssetDrawer
        open={drawer !== null}
        parent={asset}
        asset={drawer === "edit" ? asset : null}
        onClose={() => setDrawer(null)}
        onSaved={onChanged}
      />
    </>
  );
}

interface AssetViewProps {
  asset: AssetDetail;
  onChanged: ChangeHandler;
  onTagsChanged: () => void;
}

/** One asset: where it stands, its worst alarm, its tags with live values. */
export function AssetView({ asset, onChanged, onTagsChanged }: AssetViewProps) {
  const t = useWords(plantWords);
  const tWrite = useWords(writeWords);
  const tRights = useWords(rightsWords);
  const say = useSay();
  const navigate = useNavigate();
  const { may } = useSession();
  const [search, setSearch] = useSearchParams();
  const alarms = useAlarmsBelow(asset.path);
  const tab = search.get("tab") ?? "tags";
  const [worst] = alarms;
  const description = say(asset.description);
  return (
    <div className="ms-page ms-page-full">
      <Crumbs asset={asset} />
      <div className="ms-title">
        <h1>{say(asset.name)}</h1>
        <span className="ms-third">{t(kindWord(asset.kind))}</span>
        {worst ? (
          <Link to={`/alarms?alarm=${worst.alarm}`} className="ms-row ms-blink">
            <AlarmSign priority={worst.priority} state={worst.state} />
            {say(worst.name)}
          </Link>
        ) : null}
        <span className="ms-grow" />
        {may("engineer") ? <Actions asset={asset} onChanged={onChanged} /> : null}
      </div>
      {description ? <p className="ms-second">{description}</p> : null}
      <Tabs
        activeKey={tab}
        onChange={(key) => setSearch(key === "tags" ? {} : { tab: key })}
        items={[
          { key: "tags", label: t("tagsHere", { n: asset.tag_count }) },
          { key: "alarms", label: t("alarmsHere", { n: alarms.length }) },
          { key: "below", label: t("childrenHere", { n: asset.child_count }) },
          { key: "commands", label: tWrite("commands") },
          ...(may("administrator") ? [{ key: "access", label: tRights("access") }] : []),
        ]}
      />
      {tab === "alarms" ? <AssetAlarms asset={asset} alarms={alarms} /> : null}
      {tab === "below" ? <Below asset={asset} /> : null}
      {tab === "access" ? <WhoCanAt asset={asset.id} /> : null}
      {tab === "commands" ? <CommandHistory asset={asset.id} /> : null}
      {tab === "tags" ? <TagTable asset={asset} onChanged={onTagsChanged} onTrend={(tags) => void navigate(`/trend?tags=${tags.join(",")}`)} /> : null}
    </div>
  );
}
