import { useNavigate, useParams } from "react-router";
import { Tabs } from "antd";
import { useWords } from "../words";
import { adminWords } from "../words/admin";
import { Audit } from "./Audit";
import { Users } from "./Users";

/** People and what they did. */
export default function AdminPage() {
  const t = useWords(adminWords);
  const navigate = useNavigate();
  const tab = useParams().tab === "audit" ? "audit" : "users";
  return (
    <div className="ms-page ms-page-full">
      <h1>{t("admin")}</h1>
      <Tabs
        activeKey={tab}
        onChange={(key) => void navigate(`/admin/${key}`)}
        items={[
          { key: "users", label: t("users") },
          { key: "audit", label: t("audit") },
        ]}
      />
      {tab === "users" ? <Users /> : <Audit />}
    </div>
  );
}
