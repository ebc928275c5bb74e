/** Coming back from a provider: its answer stands in the page's address and is sent on once. */

import { api } from "../api";
import type { Person } from "../types";

const PREFIX = "/sign-in/";
const KEPT = "ms-after-sign-in";

export type Step = { user: Person } | { second_step: string[] };
export interface Provider {
  provider: string;
  name: { en: string; zh: string };
  issuer: string;
}

/** Go to a provider; the page that is open now is shown again afterwards. */
export async function leaveFor(path: "/session/providers" | "/session/links", provider: string): Promise<void> {
  const { url } = await api.post<{ url: string }>(path, { provider });
  sessionStorage.setItem(KEPT, window.location.pathname + window.location.search);
  window.location.assign(url);
}

/** Put the address back that was open before a provider was visited. */
export function backToPlace(): void {
  const kept = sessionStorage.getItem(KEPT) ?? "/";
  sessionStorage.removeItem(KEPT);
  window.history.replaceState(null, "", kept.startsWith("/") && !kept.startsWith("//") ? kept : "/");
}

/** The provider ended the sign-in itself, or what it answered was refused on its way to this page. */
export class Denied extends Error {
  constructor(
    readonly words: "providerDenied" | "providerRefused",
    readonly provider: string,
    readonly reason: string,
  ) {
    super(reason);
  }
}

let sent: Promise<Step> | null = null;

/** Send on what a provider answered; null where the page was not opened by one. */
export function returned(): Promise<Step> | null {
  const { pathname, search } = window.location;
  if (!pathname.startsWith(PREFIX)) return null;
  // A code holds once: drawn twice, the page still sends it a single time.
  sent ??= sendOn(pathname.slice(PREFIX.length), new URLSearchParams(search)).finally(backToPlace);
  return sent;
}

async function sendOn(provider: string, query: URLSearchParams): Promise<Step> {
  const error = query.get("error");
  if (error) throw new Denied("providerDenied", provider, error);
  const refused = query.get("refused");
  if (refused) throw new Denied("providerRefused", provider, refused);
  // SAML answers to the server, which gives the page what was proven, sealed.
  const answer = query.get("answer");
  if (answer) return api.post<Step>("/session/providers/answer", { provider, answer });
  const [code, state, iss] = ["code", "state", "iss"].map((name) => query.get(name) ?? "");
  return api.post<Step>("/session/providers/callback", { provider, code, state, iss });
}
