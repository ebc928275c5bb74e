import { Route, Routes, useParams } from "react-router";
import { ConnectionList } from "./ConnectionList";
import { ConnectionView } from "./ConnectionView";
import "./connect.css";

function ViewOfOne() {
  const { id = "" } = useParams();
  return <ConnectionView key={id} id={id} />;
}

/** Connections to devices and servers, and the steps that make them. */
export default function ConnectPage() {
  return (
    <Routes>
      <Route index element={<ConnectionList />} />
      <Route path=":id" element={<ViewOfOne />} />
    </Routes>
  );
}
