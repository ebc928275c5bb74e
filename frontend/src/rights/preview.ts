/** Looking as a role: this tab alone, until it is ended; every request says so, and the server then changes nothing. */

const KEPT = "ms-preview";

export interface Preview {
  /** The name of a built-in role, or the code of one of the company's own. */
  role: string;
  name: string;
  /** The asset below which it is looked at; empty: the whole plant. */
  place: string;
  placeName: string;
  /** Where it began. */
  back: string;
}

function kept(): Preview | null {
  const text = sessionStorage.getItem(KEPT);
  return text === null ? null : (JSON.parse(text) as Preview);
}

/** What the page is looked at as; it stays the same until the page is loaded again. */
export const preview: Preview | null = typeof sessionStorage === "undefined" ? null : kept();

/** A header holds ASCII alone; a role may be called by any name. */
export const previewHeaders: Readonly<Record<string, string>> = preview
  ? { "X-As-Role": encodeURIComponent(preview.role), ...(preview.place !== "" && { "X-As-Place": preview.place }) }
  : {};

/** Load the page anew, as someone with a role finds it. */
export function beginPreview(wanted: Omit<Preview, "back">): void {
  sessionStorage.setItem(KEPT, JSON.stringify({ ...wanted, back: location.pathname + location.search }));
  location.assign("/");
}

export function endPreview(): void {
  sessionStorage.removeItem(KEPT);
  location.assign(preview?.back ?? "/");
}
