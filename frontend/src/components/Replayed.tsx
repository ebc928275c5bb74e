import { useWords } from "../words";

/** `↻`: what stands beside it comes from a replayed recording. */
export function Replayed() {
  const t = useWords();
  return (
    <span className="ms-replayed" role="img" aria-label={t("replayed")} title={t("replayed")}>
      ↻
    </span>
  );
}
