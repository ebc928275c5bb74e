import { Route, Routes, useParams } from "react-router";
import { api } from "../api";
import { NoRights, PageState } from "../components/PageState";
import { useResource } from "../resource";
import { useSession } from "../session";
import { ConnectionList } from "./ConnectionList";
import { ConnectionView } from "./ConnectionView";
import { DevicesPage } from "./DevicesPage";
import { GatewaysPage } from "./GatewaysPage";
import { HistoryImportPage } from "./HistoryImportPage";
import { HistoryImportRun } from "./HistoryImportRun";
import { ImportPage } from "./ImportPage";
import { ImportRun } from "./ImportRun";
import { TemplatesPage } from "./TemplatesPage";
import type { Connection, Driver, Gateway } from "./types";
import { type Step, Wizard } from "./Wizard";
import type { Page } from "../types";
import "./connect.css";

function ViewOfOne() {
  const { id = "" } = useParams();
  return <ConnectionView key={id} id={id} />;
}

/** The steps with what they need: drivers, gateways and, to change one, the connection. */
function Steps({ start }: { start: Step }) {
  const { id } = useParams();
  const { may } = useSession();
  const needed = useResource(`${id ?? "new"}`, async (signal) => {
    const [drivers, gateways, connection] = await Promise.all([
      api.get<Page<Driver>>("/drivers", {}, signal),
      api.get<Gateway[]>("/gateways", {}, signal),
      id === undefined ? null : api.get<Connection>(`/connections/${id}`, {}, signal),
    ]);
    return { drivers: drivers.items, gateways, connection };
  }, true);
  if (!may("engineer")) return <NoRights role="engineer" />;
  return (
    <PageState state={needed} rows={8}>
      {(value) => <Wizard key={id ?? "new"} {...value} start={start} />}
    </PageState>
  );
}

function Engineers({ children }: { children: React.ReactNode }) {
  const { may } = useSession();
  return may("engineer") ? children : <NoRights role="engineer" />;
}

/** Connections to devices and servers, and the steps that make them. */
export default function ConnectPage() {
  return (
    <Routes>
      <Route index element={<ConnectionList />} />
      <Route path="new" element={<Steps start="stepProtocol" />} />
      <Route path="gateways" element={<Engineers><GatewaysPage /></Engineers>} />
      <Route path="devices" element={<Engineers><DevicesPage /></Engineers>} />
      <Route path="templates" element={<Engineers><TemplatesPage /></Engineers>} />
      <Route path="import" element={<Engineers><ImportPage /></Engineers>} />
      <Route path="import/:id" element={<Engineers><ImportRun /></Engineers>} />
      <Route path="history-import" element={<Engineers><HistoryImportPage /></Engineers>} />
      <Route path="history-import/:id" element={<Engineers><HistoryImportRun /></Engineers>} />
      <Route path=":id" element={<ViewOfOne />} />
      <Route path=":id/edit" element={<Steps start="stepAddress" />} />
      <Route path=":id/tags" element={<Steps start="stepTags" />} />
    </Routes>
  );
}
