import { api } from "../api";
import { type Column, Grid } from "../components/Grid";
import { Empty, PageState } from "../components/PageState";
import { usePreferences } from "../preferences";
import { useResource } from "../resource";
import { useZone } from "../session";
import type { Page } from "../types";
import { type Say, useSay, useWords } from "../words";
import { writeWords } from "../words/write";
import { shown } from "./entered";
import type { Command, CommandItem, ItemOutcome } from "./types";

const LIMIT = 200;

/** One tag of one command. */
interface Line {
  key: string;
  command: Command;
  item: CommandItem;
  outcome: ItemOutcome | null;
}

const linesOf = (commands: readonly Command[]): Line[] =>
  commands.flatMap((command) =>
    command.items.map((item) => ({
      key: `${command.id} ${item.tag}`,
      command,
      item,
      outcome: command.outcome?.find(({ tag }) => tag === item.tag) ?? null,
    })),
  );

const reasonOf = ({ authority }: Command) => authority.slice(authority.indexOf(":") + 1).trim();

interface Tools {
  t: Say<typeof writeWords>;
  say: ReturnType<typeof useSay>;
  zone: ReturnType<typeof useZone>;
  language: "en" | "zh";
}

const whoOf = ({ by, second }: Command, t: Tools["t"]) => (second ? t("withSecond", { first: by, second }) : by);

function Change({ item, language }: { item: CommandItem; language: "en" | "zh" }) {
  const format = { unit_sign: item.unit_sign ?? "", decimals: item.decimals ?? null, words: item.words ?? null };
  return (
    <span className="ms-num">
      <span className="ms-third">{shown(format, item.before ?? null, language)}</span> &gt; {shown(format, item.value, language, String(item.value))}
    </span>
  );
}

function columnsOf({ t, say, zone, language }: Tools): Column<Line>[] {
  return [
    { key: "time", title: t("time"), width: "160px", cell: ({ command }) => <span className="ms-num">{zone.full(command.issued_ms)}</span> },
    { key: "who", title: t("who"), width: "minmax(120px, 1fr)", cell: ({ command }) => whoOf(command, t) },
    { key: "tag", title: t("tag"), width: "minmax(130px, 1fr)", cell: ({ item }) => <span className="ms-bold">{item.tag_name ?? item.tag}</span> },
    { key: "change", title: t("change"), width: "minmax(170px, 1.2fr)", cell: ({ item }) => <Change item={item} language={language} /> },
    { key: "outcome", title: t("outcome"), width: "minmax(130px, 1fr)", cell: ({ outcome }) => <span title={outcome?.text ? say(outcome.text) : undefined}>{t(outcome?.outcome ?? "open")}</span> },
    { key: "reason", title: t("reason"), width: "minmax(140px, 1.5fr)", cell: ({ command, outcome }) => <span className="ms-second">{[reasonOf(command), outcome?.text ? say(outcome.text) : ""].filter(Boolean).join(" · ")}</span> },
  ];
}

/** The commands to the equipment of an asset and what is below it, newest first. */
export function CommandHistory({ asset }: { asset: string }) {
  const t = useWords(writeWords);
  const say = useSay();
  const zone = useZone();
  const { language } = usePreferences();
  const commands = useResource(asset, (signal) => api.get<Page<Command>>("/commands", { asset, limit: LIMIT }, signal), true);
  return (
    <PageState state={commands} rows={6}>
      {({ items }) => (
        <div className="ms-panel ms-grid-place">
          <Grid
            label={t("commands")}
            columns={columnsOf({ t, say, zone, language })}
            rows={linesOf(items)}
            rowKey={({ key }) => key}
            phone={({ command, item, outcome }) => (
              <>
                <span className="ms-row">
                  <span className="ms-bold ms-cut ms-grow">{item.tag_name ?? item.tag}</span>
                  <span>{t(outcome?.outcome ?? "open")}</span>
                </span>
                <span className="ms-row ms-second ms-caption ms-num">
                  <span className="ms-cut ms-grow">
                    {zone.full(command.issued_ms)} {whoOf(command, t)}
                  </span>
                  <Change item={item} language={language} />
                </span>
              </>
            )}
            empty={<Empty title={t("noCommandsTitle")} text={t("noCommandsText")} />}
          />
        </div>
      )}
    </PageState>
  );
}
