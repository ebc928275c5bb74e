import { useParams } from "react-router";
import { Failure, Loading } from "../components/PageState";
import { ImportPage } from "../connect/ImportPage";
import { ImportRun } from "../connect/ImportRun";
import { useKind } from "./use-kind";
import "../connect/connect.css";

/** Records from a sheet: the same steps as tags. */
export default function RecordsImport() {
  const { kind: name = "", id } = useParams();
  const { value: kind, error, reload } = useKind(name);
  if (kind === undefined) return error ? <Failure error={error} onRetry={reload} /> : <Loading />;
  const list = `/records/${kind.kind}`;
  const filled = { kind: kind.kind, many: kind.many, home: `${list}/import`, list, keys: kind.key, sources: kind.sources };
  return id === undefined ? <ImportPage filled={filled} /> : <ImportRun filled={filled} />;
}
