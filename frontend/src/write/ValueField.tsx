import { Input, Radio, Select } from "antd";
import { usePreferences } from "../preferences";
import { useWords } from "../words";
import { writeWords } from "../words/write";
import { faultOf, shown, valueOf } from "./entered";
import type { Selected } from "./types";

interface ValueFieldProps {
  tag: Selected;
  entered: string;
  /** Whether typing begins here. */
  first: boolean;
  onEnter: (entered: string) => void;
}

function Entry({ tag, entered, first, onEnter, id }: ValueFieldProps & { id: string }) {
  const t = useWords(writeWords);
  const { language } = usePreferences();
  const label = t("newValue", { name: tag.name });
  if (tag.kind === "boolean") {
    const options = ["0", "1"].map((value) => ({ value, label: tag.words?.[value] ? shown(tag, Number(value), language) : t(value === "1" ? "yes" : "no") }));
    return <Radio.Group aria-label={label} optionType="button" value={entered} options={options} onChange={(event) => onEnter(String(event.target.value))} />;
  }
  if (tag.kind === "enumeration" && tag.words) {
    const options = Object.keys(tag.words).map((value) => ({ value, label: shown(tag, Number(value), language) }));
    return <Select autoFocus={first} aria-label={label} className="ms-full" value={entered === "" ? null : entered} options={options} onChange={onEnter} />;
  }
  const wrong = faultOf(tag, entered) !== null;
  return (
    <Input
      id={id}
      autoFocus={first}
      aria-label={label}
      aria-invalid={wrong}
      aria-describedby={`${id}-note`}
      className="ms-num"
      status={wrong ? "error" : undefined}
      inputMode={tag.kind === "text" ? "text" : "decimal"}
      autoComplete="off"
      maxLength={tag.kind === "text" ? 250 : 40}
      suffix={tag.unit_sign === "1" ? "" : tag.unit_sign}
      value={entered}
      onChange={(event) => onEnter(event.target.value)}
    />
  );
}

/** One tag: what it shows, what it is to become, and within which range. */
export function ValueField({ tag, entered, first, onEnter }: ValueFieldProps) {
  const t = useWords(writeWords);
  const { language } = usePreferences();
  const fault = faultOf(tag, entered);
  const id = `ms-write-${tag.tag}`;
  const unit = tag.unit_sign === "1" ? "" : tag.unit_sign;
  const range = { low: tag.low ?? "−∞", high: tag.high ?? "∞", unit };
  const ranged = (tag.low !== null || tag.high !== null) && (tag.kind === "float64" || tag.kind === "int64");
  const empty = entered === "" && tag.kind !== "text";
  return (
    <div className="ms-write-item">
      <div className="ms-row">
        <span className="ms-bold ms-cut ms-grow">{tag.name}</span>
        <span className="ms-num ms-write-change">
          <span className="ms-third">{shown(tag, tag.value, language)}</span>
          <span aria-hidden="true"> &gt; </span>
          {empty || fault ? "…" : shown(tag, valueOf(tag, entered), language, entered)}
        </span>
      </div>
      <Entry tag={tag} entered={entered} first={first} onEnter={onEnter} id={id} />
      <p id={`${id}-note`} className={fault ? "ms-caption ms-danger" : "ms-caption ms-third"} role={fault ? "alert" : undefined}>
        {fault ? t(fault, range).trim() : ranged ? t("rangeIs", range).trim() : ""}
      </p>
    </div>
  );
}
