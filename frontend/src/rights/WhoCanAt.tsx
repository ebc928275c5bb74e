import { type ReactNode, useState } from "react";
import { Select } from "antd";
import { useKinds } from "../records/use-kind";
import { useSay, useWords } from "../words";
import { rightsWords } from "../words/rights";
import { WhoCan } from "./WhoCan";

const PLATFORM = "platform";

/** Who can do what in a part of the plant: by the rights of the platform, or with a kind of record that is chosen. */
export function WhoCanAt({ asset, children }: { asset: string; children?: ReactNode }) {
  const t = useWords(rightsWords);
  const say = useSay();
  const [kind, setKind] = useState(PLATFORM);
  const kinds = useKinds();
  const options = [{ value: PLATFORM, label: t("ofPlatform") }, ...(kinds.value ?? []).map((each) => ({ value: each.kind, label: say(each.many) }))];
  return (
    <div>
      <div className="ms-filters">
        <Select aria-label={t("with")} className="ms-rights-kind" value={kind} onChange={setKind} showSearch={{ optionFilterProp: "label" }} options={options} />
        {children}
      </div>
      <WhoCan kind={kind === PLATFORM ? "" : kind} asset={asset} />
    </div>
  );
}
