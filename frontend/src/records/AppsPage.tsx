import { useState } from "react";
import { Link } from "react-router";
import { App, Input } from "antd";
import { Icon } from "../components/Icon";
import { Empty, NoneMatch, PageState } from "../components/PageState";
import { useSession } from "../session";
import { useSay, useWords } from "../words";
import { recordWords } from "../words/records";
import { shared } from "../words/shared";
import type { KindBrief } from "./types";
import { homeOf, useKinds } from "./use-kind";
import { GROUPS } from "./value-text";
import "./records.css";

const PINNED_MAX = 5;
/** What no kind of record declares, but people look for in the same place. */
const EVENTS: KindBrief = { kind: "events", one: shared.events, many: shared.events, group: "material", moves: [] };
type Group = (typeof GROUPS)[number];

function KindList({ title, kinds, pins, onPin }: { title: string; kinds: readonly KindBrief[]; pins: readonly string[]; onPin: (kind: KindBrief) => void }) {
  const t = useWords(recordWords);
  const say = useSay();
  if (kinds.length === 0) return null;
  return (
    <section className="ms-panel">
      <h2>{title}</h2>
      <ul className="ms-list">
        {kinds.map((each) => {
          const pinned = pins.includes(each.kind);
          const label = t(pinned ? "unpin" : "pin", { name: say(each.many) });
          return (
            <li key={each.kind} className="ms-row ms-kind">
              <Link to={homeOf(each.kind)} className="ms-grow">{say(each.many)}</Link>
              <button type="button" className="ms-plain ms-pin" aria-pressed={pinned} aria-label={label} title={label} onClick={() => onPin(each)}><Icon name="star" size={16} /></button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** All lists there are, by group; the few somebody works with every day stand on top. */
export default function AppsPage() {
  const t = useWords(recordWords);
  const say = useSay();
  const { person, may } = useSession();
  const { message } = App.useApp();
  const kinds = useKinds();
  const [text, setText] = useState("");
  const kept = `ms-pinned-${person.id}`;
  const [pins, setPins] = useState(() => (localStorage.getItem(kept) ?? "").split(",").filter((kind) => kind !== ""));
  const pin = ({ kind }: KindBrief) => {
    const next = pins.includes(kind) ? pins.filter((each) => each !== kind) : [...pins, kind];
    if (next.length > PINNED_MAX) return void message.warning(t("pinFull"), 6);
    localStorage.setItem(kept, next.join());
    setPins(next);
  };
  const wanted = text.trim().toLowerCase();
  const byName = (one: KindBrief, other: KindBrief) => say(one.many).localeCompare(say(other.many));
  return (
    <div className="ms-page">
      <div className="ms-title">
        <h1 className="ms-grow">{t("apps")}</h1>
        <Link to="/apps/shared">{t("sharedWithUs")}</Link>
        <Input className="ms-find-kind" allowClear value={text} onChange={(event) => setText(event.target.value)} placeholder={t("findKind")} aria-label={t("findKind")} />
      </div>
      <PageState state={kinds} rows={8}>
        {(declared) => {
          const all = may("viewer") ? [...declared, EVENTS] : declared;
          if (all.length === 0) return <Empty title={t("noKinds")} text={t("noKindsText")} />;
          const found = all.filter(({ one, many, kind }) => [one.en, one.zh, many.en, many.zh, kind].some((each) => each.toLowerCase().includes(wanted))).sort(byName);
          if (found.length === 0) return <NoneMatch total={all.length} onClear={() => setText("")} />;
          const known = (group: string): group is Group => GROUPS.includes(group as Group);
          return (
            <div className="ms-kinds">
              <KindList title={t("pinned")} kinds={pins.flatMap((kind) => found.find((each) => each.kind === kind) ?? [])} pins={pins} onPin={pin} />
              {GROUPS.map((group) => (
                <KindList key={group} title={t(`group_${group}`)} kinds={found.filter((each) => (known(each.group) ? each.group : "platform") === group)} pins={pins} onPin={pin} />
              ))}
            </div>
          );
        }}
      </PageState>
    </div>
  );
}
