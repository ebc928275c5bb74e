import type { ReactNode } from "react";
import { Link, useNavigate, useParams } from "react-router";
import { Tabs } from "antd";
import { AccessTab } from "../rights/AccessTab";
import { RightsRecords } from "../rights/RightsRecords";
import { useWords } from "../words";
import { adminWords } from "../words/admin";
import { peopleWords } from "../words/people";
import { rightsWords } from "../words/rights";
import { Audit } from "./Audit";
import { Provisioning } from "./Provisioning";
import { Registrations, useReviews } from "./Registrations";
import { Users } from "./Users";

interface Part {
  key: string;
  label: string;
  /** What it is for, where its list does not say so itself. */
  text?: ReactNode;
  shown: ReactNode;
}

/** People, what they may do, and what they did. */
export default function AdminPage() {
  const t = useWords(adminWords);
  const tRights = useWords(rightsWords);
  const tPeople = useWords(peopleWords);
  const reviews = useReviews();
  const navigate = useNavigate();
  const { tab, id = null } = useParams();
  const parts: readonly Part[] = [
    { key: "users", label: t("users"), shown: <Users /> },
    { key: "roles", label: tRights("roles"), text: tRights("rolesText"), shown: <RightsRecords key="role" kind="role" id={id} /> },
    { key: "assignments", label: tRights("assignments"), text: tRights("assignmentsText"), shown: <RightsRecords key="assignment" kind="assignment" id={id} /> },
    { key: "grants", label: tRights("grants"), text: <>{tRights("grantsText")} <Link className="ms-inline-link" to="/apps/shared">{tRights("sharedTitle")}</Link></>, shown: <RightsRecords key="grant" kind="grant" id={id} /> },
    { key: "access", label: tRights("access"), shown: <AccessTab /> },
    { key: "provisioning", label: tPeople("provisioning"), shown: <Provisioning /> },
    ...(reviews ? [{ key: "registrations", label: tPeople("registrations"), shown: <Registrations /> }] : []),
    { key: "audit", label: t("audit"), shown: <Audit /> },
  ];
  const part = parts.find(({ key }) => key === tab) ?? parts[0];
  return (
    <div className="ms-page ms-page-full">
      {id === null ? <h1>{t("admin")}</h1> : <p className="ms-page-name">{t("admin")}</p>}
      <Tabs activeKey={part?.key} onChange={(key) => void navigate(`/admin/${key}`)} items={parts.map(({ key, label }) => ({ key, label }))} />
      {part?.text && id === null ? <p className="ms-third ms-caption">{part.text}</p> : null}
      {part?.shown}
    </div>
  );
}
