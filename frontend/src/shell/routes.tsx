import { lazy, Suspense } from "react";
import { createBrowserRouter, Navigate, Outlet, useRouteError } from "react-router";
import { RouterProvider } from "react-router/dom";
import { Button } from "antd";
import { Empty, Loading, NoRights } from "../components/PageState";
import { useSession } from "../session";
import type { Role } from "../types";
import { useWords } from "../words";
import { shellWords } from "../words/shell";
import { MissingPlace, PicturesPlace } from "./Places";
import { Shell } from "./Shell";

const OverviewPage = lazy(() => import("../overview/OverviewPage"));
const PlantPage = lazy(() => import("../plant/PlantPage"));
const AlarmsPage = lazy(() => import("../alarms/AlarmsPage"));
const TrendPage = lazy(() => import("../trend/TrendPage"));
const ConnectPage = lazy(() => import("../connect/ConnectPage"));
const AppsPage = lazy(() => import("../records/AppsPage"));
const RecordsPage = lazy(() => import("../records/RecordsPage"));
const RecordsImport = lazy(() => import("../records/RecordsImport"));
const EventsPage = lazy(() => import("../events/EventsPage"));
const SharedPage = lazy(() => import("../rights/SharedPage"));
const AccountPage = lazy(() => import("../account/AccountPage"));
const AdminPage = lazy(() => import("../admin/AdminPage"));

function Frame() {
  return (
    <Shell>
      <Suspense fallback={<Loading />}>
        <Outlet />
      </Suspense>
    </Shell>
  );
}

/** Rights are checked on opening, not by hiding links. */
function Only({ role, children }: { role: Role; children: React.ReactNode }) {
  const { may } = useSession();
  return may(role) ? children : <NoRights role={role} />;
}

/** The plant for those who see any of it, else the lists of records. */
function Home() {
  const { maySomewhere } = useSession();
  return maySomewhere("viewer") ? <OverviewPage /> : <Navigate to="/apps" replace />;
}

function Crashed() {
  const t = useWords(shellWords);
  const error = useRouteError();
  return (
    <Shell>
      <Empty
        title={t("failedTitle")}
        text={`${t("crashed")} (${error instanceof Error ? error.message : String(error)})`}
        action={<Button onClick={() => location.reload()}>{t("reload")}</Button>}
      />
    </Shell>
  );
}

const router = createBrowserRouter([
  {
    element: <Frame />,
    errorElement: <Crashed />,
    children: [
      { path: "/", element: <Home /> },
      { path: "/plant/:assetId?", element: <PlantPage /> },
      { path: "/alarms", element: <AlarmsPage /> },
      { path: "/trend", element: <TrendPage /> },
      { path: "/pictures", element: <PicturesPlace /> },
      { path: "/apps", element: <AppsPage /> },
      { path: "/apps/shared", element: <SharedPage /> },
      { path: "/records/events", element: <EventsPage /> },
      { path: "/records/:kind/:id?", element: <RecordsPage /> },
      { path: "/records/:kind/import/:id?", element: <RecordsImport /> },
      { path: "/connect/*", element: <ConnectPage /> },
      { path: "/account", element: <AccountPage /> },
      { path: "/admin/:tab?/:id?", element: <Only role="administrator"><AdminPage /></Only> },
      { path: "*", element: <MissingPlace /> },
    ],
  },
]);

export function Routes() {
  return <RouterProvider router={router} />;
}
