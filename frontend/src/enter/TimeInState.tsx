import { formatOf, plainValue } from "../components/value-text";
import { PageState } from "../components/PageState";
import { api } from "../api";
import { elapsed } from "../format/time";
import { usePreferences } from "../preferences";
import { useResource } from "../resource";
import type { Tag } from "../types";
import { useWords } from "../words";
import { enterWords } from "../words/enter";
import type { Span } from "./samples";

interface StatesAnswer {
  series: { tag: number; value: (number | string)[]; held_ms: number[] }[];
}

/** How long each state was held in the range, in words. */
export function TimeInState({ tag, span, round }: { tag: Tag; span: Span; round: number }) {
  const t = useWords(enterWords);
  const { language } = usePreferences();
  const asked = { tags: [tag.tag], start_ms: Math.round(span.start_ms), end_ms: Math.round(span.end_ms) };
  const states = useResource(`${tag.tag} ${asked.start_ms} ${asked.end_ms} ${round}`, (signal) => api.post<StatesAnswer>("/history/states", asked, signal));
  return (
    <PageState state={states} rows={2}>
      {({ series: [found] }) => {
        const total = found?.held_ms.reduce((sum, held) => sum + held, 0) ?? 0;
        if (!found || total === 0) return null;
        return (
          <div className="ms-panel ms-scroll">
            <table className="ms-table" aria-label={t("timeInState")}>
              <thead>
                <tr>
                  <th scope="col">{t("state")}</th>
                  <th scope="col" className="ms-grid-end">
                    {t("timeInState")}
                  </th>
                  <th scope="col" className="ms-grid-end">
                    %
                  </th>
                </tr>
              </thead>
              <tbody>
                {found.value.map((value, index) => {
                  const held = found.held_ms[index] ?? 0;
                  return (
                    <tr key={String(value)}>
                      <td>{plainValue(value, formatOf(tag), language)}</td>
                      <td className="ms-num ms-grid-end">{elapsed(held)}</td>
                      <td className="ms-num ms-grid-end">{((100 * held) / total).toFixed(1)}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        );
      }}
    </PageState>
  );
}
