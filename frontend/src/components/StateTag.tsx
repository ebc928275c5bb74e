import { useWords } from "../words";
import { type EquipmentState, stateColours } from "../theme/tokens";

/** State of equipment: a letter, a fill and a word. */
export function StateTag({ state, brief = false }: { state: EquipmentState; brief?: boolean }) {
  const t = useWords();
  return (
    <span className="ms-state">
      <span className={`ms-state-mark ms-state-${state}`} aria-hidden={!brief} {...(brief && { title: t(state) })}>
        {stateColours[state].sign}
      </span>
      {brief ? null : <span>{t(state)}</span>}
    </span>
  );
}
