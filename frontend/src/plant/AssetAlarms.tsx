import { useState } from "react";
import { Link } from "react-router";
import { Button, Select } from "antd";
import { allTags } from "../all-tags";
import { AlarmValue } from "../alarms/AlarmValue";
import { api } from "../api";
import { AlarmSign } from "../components/AlarmSign";
import { Elapsed } from "../components/Elapsed";
import { PageState } from "../components/PageState";
import { useResource } from "../resource";
import { useSession } from "../session";
import type { Alarm, AlarmDefinition, AssetDetail, Page, Tag } from "../types";
import { useSay, useWords } from "../words";
import { conditionWord, definitionText, definitionWords, LimitDrawer } from "./LimitDrawer";

const TAGS_MAX = 1000;
const DEFINITIONS_MAX = 1000;

function ActiveHere({ alarms }: { alarms: readonly Alarm[] }) {
  const t = useWords(definitionWords);
  const say = useSay();
  if (alarms.length === 0) return <p className="ms-second">{t("none")}</p>;
  return (
    <ul className="ms-list ms-panel ms-blink">
      {alarms.map((alarm) => (
        <li key={alarm.alarm} className="ms-row ms-alarm-line">
          <AlarmSign priority={alarm.priority} state={alarm.state} />
          <Link to={`/alarms?alarm=${alarm.alarm}`} className="ms-grow ms-cut">
            {say(alarm.name)}
          </Link>
          <span className="ms-num ms-second"><AlarmValue alarm={alarm} /></span>
          <Elapsed sinceMs={alarm.raised_ms} />
        </li>
      ))}
    </ul>
  );
}

/** What is defined for the asset's own tags, and the way to define more. */
function DefinedHere({ asset }: { asset: AssetDetail }) {
  const t = useWords(definitionWords);
  const say = useSay();
  const { may } = useSession();
  const [tag, setTag] = useState<Tag | null>(null);
  const [editing, setEditing] = useState<AlarmDefinition | null>(null);
  const tags = useResource(asset.id, (signal) => allTags({ asset: asset.id }, TAGS_MAX, signal), true);
  const defined = useResource(asset.id, (signal) => api.get<Page<AlarmDefinition>>("/alarm-definitions", { asset: asset.id, limit: DEFINITIONS_MAX }, signal), true);
  const byId = new Map(tags.value?.items.map((each) => [each.id, each]));
  const close = () => {
    setTag(null);
    setEditing(null);
  };
  const edited = editing ? byId.get(editing.tag_id) : tag;
  return (
    <section className="ms-stack" aria-label={t("definedAlarms")}>
      <div className="ms-row ms-wrap">
        <h2 className="ms-grow">{t("definedAlarms")}</h2>
        {may("engineer") && byId.size > 0 ? (
          <Select
            className="ms-filter-text"
            aria-label={t("addLimitTo")}
            placeholder={t("addLimitTo")}
            value={null}
            showSearch={{ optionFilterProp: "label" }}
            options={[...byId.values()].map(({ id, name, description }) => ({ value: id, label: `${name} ${say(description)}`.trim() }))}
            onSelect={(id) => setTag((id && byId.get(id)) || null)}
          />
        ) : null}
      </div>
      <PageState state={defined} rows={3}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="ms-third">{t("noLimits")}</p>
          ) : (
            <ul className="ms-list ms-panel">
              {items.map((each) => {
                const of = byId.get(each.tag_id);
                return (
                  <li key={each.id} className="ms-row ms-wrap ms-alarm-line">
                    <AlarmSign priority={each.priority} state={each.enabled ? "active-acknowledged" : "out-of-service"} />
                    <span className="ms-bold">{of?.name}</span>
                    <span>{conditionWord(t, each.condition)}</span>
                    <span className="ms-num ms-cut">{of ? definitionText(t, each, of) : ""}</span>
                    <span className="ms-grow ms-cut ms-second">{say(each.name)}</span>
                    {may("engineer") ? (
                      <Button size="small" type="text" disabled={!of} onClick={() => setEditing(each)}>
                        {t("edit")}
                      </Button>
                    ) : null}
                  </li>
                );
              })}
            </ul>
          )
        }
      </PageState>
      {edited ? <LimitDrawer open tag={edited} limit={editing} onClose={close} onChanged={defined.reload} /> : null}
    </section>
  );
}

/** The alarms of an asset: those that stand now, also below it, and those that are defined. */
export function AssetAlarms({ asset, alarms }: { asset: AssetDetail; alarms: readonly Alarm[] }) {
  return (
    <div className="ms-stack">
      <ActiveHere alarms={alarms} />
      <DefinedHere asset={asset} />
    </div>
  );
}
