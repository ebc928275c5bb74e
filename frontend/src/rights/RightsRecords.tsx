import { PageState } from "../components/PageState";
import { OfKind } from "../records/RecordsPage";
import { useKind } from "../records/use-kind";

/** Lists of what gives rights - roles, assignments, grants - under administration. */
export function RightsRecords({ kind: name, id }: { kind: string; id: string | null }) {
  const kind = useKind(name);
  return <PageState state={kind} rows={8}>{(known) => <OfKind key={known.kind} kind={known} id={id} within />}</PageState>;
}
