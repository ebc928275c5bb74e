import { useState } from "react";
import { Button, Form, Input, Select } from "antd";
import { api } from "../api";
import { TagPick } from "../components/TagPick";
import { useResource } from "../resource";
import type { Tag, Words } from "../types";
import { useSay, useWords } from "../words";
import { suppressWords } from "../words/suppress";

const EXPRESSION_MAX = 500;
const REASON_MAX = 200;

/** The condition that a tag is in one of some states, as it is written in the language of expressions. */
export function stateCondition(path: string, states: readonly number[]): string {
  return states.map((state) => `"${path}" == ${state}`).join(" or ");
}

/** Words of which one language at least is written; the other repeats it. */
export function wordsOrNull(words: Partial<Words> | null | undefined): Words | null {
  const en = words?.en?.trim() ?? "";
  const zh = words?.zh?.trim() ?? "";
  return en === "" && zh === "" ? null : { en: en || zh, zh: zh || en };
}

/** Joined to what is written already: any of the conditions suppresses. */
export function joined(written: string | undefined, condition: string): string {
  const before = written?.trim() ?? "";
  return before === "" ? condition : `${before} or ${condition}`;
}

const hasStates = ({ kind }: Tag) => kind === "boolean" || kind === "enumeration" || kind === "int64";

/** Choose the state of a piece of equipment instead of writing the condition. */
function StateChoice({ onChoose }: { onChoose: (condition: string) => void }) {
  const t = useWords(suppressWords);
  const say = useSay();
  const [id, setId] = useState<string | null>(null);
  const [states, setStates] = useState<string[]>([]);
  const tag = useResource(id, (signal) => api.get<Tag>(`/tags/${id ?? ""}`, undefined, signal), true).value;
  const words: Record<string, Words> = tag?.words ?? (tag?.kind === "boolean" ? { "0": { en: "0", zh: "0" }, "1": { en: "1", zh: "1" } } : {});
  const numbers = states.map(Number).filter(Number.isInteger);
  const choose = () => {
    if (!tag) return;
    onChoose(stateCondition(tag.path, numbers));
    setId(null);
    setStates([]);
  };
  return (
    <div className="ms-gap-bottom" role="group" aria-label={t("byState")}>
      <p>{t("byState")}</p>
      <TagPick value={id} onChange={(next) => [setId(next), setStates([])]} label={t("stateTag")} placeholder={t("stateTag")} fits={hasStates} />
      {tag ? (
        <div className="ms-row ms-gap-top">
          <Select
            mode="tags"
            className="ms-grow"
            aria-label={t("inStates")}
            placeholder={t("inStates")}
            value={states}
            onChange={setStates}
            options={Object.entries(words).map(([value, text]) => ({ value, label: `${value} ${say(text) === value ? "" : say(text)}`.trim() }))}
          />
          <Button disabled={numbers.length === 0} onClick={choose}>
            {t("insert")}
          </Button>
        </div>
      ) : null}
    </div>
  );
}

/** The condition under which alarms are suppressed by design, and why; of one alarm, or of all below an asset. */
export function SuppressFields({ group }: { group: boolean }) {
  const t = useWords(suppressWords);
  const form = Form.useFormInstance();
  const condition = Form.useWatch("suppress_when", form) as string | undefined;
  const needed = {
    validator: () => {
      const { zh = "", en = "" } = (form.getFieldValue("suppress_reason") ?? {}) as Partial<Words>;
      return `${zh}${en}`.trim() === "" ? Promise.reject(new Error(t("reasonNeeded"))) : Promise.resolve();
    },
  };
  const choose = (found: string) => {
    form.setFieldValue("suppress_when", joined(form.getFieldValue("suppress_when") as string | undefined, found));
  };
  return (
    <>
      <Form.Item name="suppress_when" label={t(group ? "suppressBelow" : "suppressWhen")} extra={t("suppressHint")}>
        <Input.TextArea rows={2} maxLength={EXPRESSION_MAX} spellCheck={false} className="ms-code" />
      </Form.Item>
      <StateChoice onChoose={choose} />
      {condition?.trim() ? (
        <div className="ms-pair ms-gap-top">
          <Form.Item name={["suppress_reason", "zh"]} label={t("reasonZh")} rules={[needed]}>
            <Input maxLength={REASON_MAX} />
          </Form.Item>
          <Form.Item name={["suppress_reason", "en"]} label={t("reasonEn")} dependencies={[["suppress_reason", "zh"]]}>
            <Input maxLength={REASON_MAX} />
          </Form.Item>
        </div>
      ) : null}
    </>
  );
}
