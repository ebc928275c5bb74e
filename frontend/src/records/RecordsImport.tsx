import { useParams } from "react-router";
import { PageState } from "../components/PageState";
import { ImportPage } from "../connect/ImportPage";
import { ImportRun } from "../connect/ImportRun";
import type { Kind } from "./types";
import { homeOf, useKind } from "./use-kind";
import "../connect/connect.css";

/** Records from a sheet: the same steps as tags. */
export default function RecordsImport() {
  const { kind: name = "", id } = useParams();
  const filled = ({ kind, many, key, sources }: Kind) => ({ kind, many, home: `${homeOf(kind)}/import`, list: homeOf(kind), keys: key, sources });
  return <PageState state={useKind(name)}>{(kind) => (id === undefined ? <ImportPage filled={filled(kind)} /> : <ImportRun filled={filled(kind)} />)}</PageState>;
}
