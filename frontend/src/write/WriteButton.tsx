import { Button, Tooltip } from "antd";
import { useSession } from "../session";
import type { Tag } from "../types";
import { useWords } from "../words";
import { writeWords } from "../words/write";
import { useTagOff } from "./ready";

/** Opens writing for one tag where the person may; off, with the reason in words, while its value cannot be trusted. */
export function WriteButton({ tag, onWrite }: { tag: Tag; onWrite: (tags: Tag[]) => void }) {
  const t = useWords(writeWords);
  const off = useTagOff(tag.tag);
  const { mayAt } = useSession();
  if (!mayAt("operator", tag.path)) return null;
  return (
    <Tooltip title={off ? t(off) : undefined}>
      <Button size="small" type="text" disabled={off !== null} aria-label={t("writeTag", { name: tag.name })} onClick={() => onWrite([tag])}>
        {t("write")}
      </Button>
    </Tooltip>
  );
}
