import { lazy, Suspense } from "react";
import { api } from "../api";
import { Failure, Loading } from "../components/PageState";
import { useResource } from "../resource";
import type { Site } from "../types";

const pages = {
  "/invitation": lazy(() => import("./Invited").then(({ InvitedPage }) => ({ default: InvitedPage }))),
  "/register": lazy(() => import("./Register").then(({ RegisterPage }) => ({ default: RegisterPage }))),
} as const;

type Page = keyof typeof pages;

/** The page at this address that is open to everyone, null for all others. */
export function outsideOf(path: string): Page | null {
  return path in pages ? (path as Page) : null;
}

/** What someone sees who has no account yet. */
export function Outside({ page }: { page: Page }) {
  const site = useResource("site", (signal) => api.get<Site>("/site", {}, signal));
  const Shown = pages[page];
  if (!site.value) return site.error ? <Failure error={site.error} onRetry={site.reload} /> : <Loading />;
  return (
    <Suspense fallback={<Loading />}>
      <Shown site={site.value} />
    </Suspense>
  );
}
