import { api } from "./api";
import type { Page, Tag } from "./types";

const PAGE = 1000;

/** Tags that fit, a page after the other, up to a limit; `total` says how many there are. */
export async function allTags(fitting: Record<string, string | number | boolean>, most: number, signal: AbortSignal): Promise<Page<Tag>> {
  const found: Tag[] = [];
  let page: Page<Tag>;
  do {
    page = await api.get<Page<Tag>>("/tags", { ...fitting, offset: found.length, limit: PAGE }, signal);
    found.push(...page.items);
  } while (page.items.length > 0 && found.length < Math.min(page.total, most));
  return { items: found, total: page.total };
}
