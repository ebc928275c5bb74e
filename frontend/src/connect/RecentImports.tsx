import { type ReactNode } from "react";
import { Button } from "antd";
import { PageState } from "../components/PageState";
import type { Resource } from "../resource";
import { useZone } from "../session";
import type { Page } from "../types";
import { useWords } from "../words";
import { importWords } from "../words/imports";

interface Run {
  id: string;
  name: string;
  created_ms: number;
}
interface RecentImportsProps<R extends Run> {
  recent: Resource<Page<R>>;
  /** The heading and the cell of how much a file holds. */
  amount: string;
  amountOf: (run: R) => string;
  stageOf: (run: R) => ReactNode;
  onOpen: (id: string) => void;
}

/** The imports of before, each a way to its report. */
export function RecentImports<R extends Run>({ recent, amount, amountOf, stageOf, onOpen }: RecentImportsProps<R>) {
  const t = useWords(importWords);
  const zone = useZone();
  return (
    <section className="ms-panel">
      <h2>{t("recent")}</h2>
      <PageState state={recent} rows={3}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="ms-third ms-panel-body">{t("nothingYet")}</p>
          ) : (
            <div className="ms-scroll">
              <table className="ms-table">
                <thead>
                  <tr>
                    <th scope="col">{t("file")}</th>
                    <th scope="col">{t("when")}</th>
                    <th scope="col" className="ms-grid-end">{amount}</th>
                    <th scope="col">{t("stage")}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((run) => (
                    <tr key={run.id}>
                      <td>
                        <Button type="link" size="small" onClick={() => onOpen(run.id)}>
                          {run.name}
                        </Button>
                      </td>
                      <td className="ms-num ms-second">{zone.full(run.created_ms).slice(0, 19)}</td>
                      <td className="ms-num ms-grid-end">{amountOf(run)}</td>
                      <td>{stageOf(run)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </PageState>
    </section>
  );
}
