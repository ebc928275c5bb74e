import { Alert, Radio } from "antd";
import { useSay, useWords } from "../words";
import { conflictWords } from "../words/conflict";
import { type Difference, type Differences, type Path } from "./conflict";

interface ConflictChoiceProps {
  found: Differences;
  /** What the field is called where it is entered. */
  labelOf: (path: Path) => string;
  valueOf: (path: Path) => unknown;
  /** Put one of the two into the field; what was typed can be had back. */
  set: (path: Path, value: unknown) => void;
  /** A value in words, where it needs more than to be written down. */
  tell?: ((path: Path, value: unknown) => string) | undefined;
}

const WORDS_KEYS = "en,zh";

/** Someone else saved in the meantime: for each field both changed, mine or theirs; nothing typed is lost. */
export function ConflictChoice({ found, labelOf, valueOf, set, tell }: ConflictChoiceProps) {
  const t = useWords(conflictWords);
  const say = useSay();
  const told = (path: Path, value: unknown): string => {
    if (tell) return tell(path, value);
    if (value === null || value === undefined || value === "") return t("none");
    if (typeof value === "boolean") return t(value ? "yes" : "no");
    if (typeof value !== "object") return String(value);
    return Object.keys(value).sort().join() === WORDS_KEYS ? say(value as { en: string; zh: string }) : JSON.stringify(value);
  };
  const choice = (one: Difference) => {
    const label = labelOf(one.path);
    return (
      <li key={one.path.join(".")}>
        <p>
          <span className="ms-bold">{label}</span> <span className="ms-third">{t("before", { value: told(one.path, one.before) })}</span>
        </p>
        <Radio.Group
          aria-label={t("whose", { field: label })}
          value={valueOf(one.path) === one.theirs ? "theirs" : "mine"}
          onChange={({ target }) => set(one.path, target.value === "theirs" ? one.theirs : one.mine)}
        >
          <Radio value="mine" className="ms-choice">
            {t("mine", { value: told(one.path, one.mine) })}
          </Radio>
          <Radio value="theirs" className="ms-choice">
            {t("theirs", { value: told(one.path, one.theirs) })}
          </Radio>
        </Radio.Group>
      </li>
    );
  };
  return (
    <Alert
      type="error"
      role="alert"
      title={t("conflict")}
      className="ms-gap-bottom"
      description={
        <ul className="ms-list ms-stack">
          {found.both.map(choice)}
          {found.theirs.map(({ path, theirs }) => (
            <li key={path.join(".")}>{t("conflictField", { field: labelOf(path), value: told(path, theirs) })}</li>
          ))}
        </ul>
      }
    />
  );
}
