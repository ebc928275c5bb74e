import { App, Button } from "antd";
import { api } from "../api";
import { PageState } from "../components/PageState";
import { useFailed } from "../failed";
import { useResource } from "../resource";
import { useSession } from "../session";
import type { OpenSession, Page } from "../types";
import { useWords } from "../words";
import { peopleWords } from "../words/people";

/** Where someone is signed in, one's own or as administrator someone else's; each session can be ended. */
export function SessionsList({ user }: { user?: string }) {
  const t = useWords(peopleWords);
  const { message } = App.useApp();
  const { zone } = useSession();
  const failed = useFailed();
  const place = user ? `/users/${user}/sessions` : "/sessions";
  const sessions = useResource(place, (signal) => api.get<Page<OpenSession>>(place, {}, signal), true);
  const endAll = user
    ? () => api.post(`/users/${user}/sign-out`)
    : () => api.post<{ ended: number }>("/sessions/end-others").then(({ ended }) => message.success(t("othersEnded", { n: ended })));
  const run = (work: Promise<unknown>) => void work.catch(failed).then(sessions.reload);
  const time = (ms: number) => zone.full(ms).slice(0, 16);
  const named = ({ browser, system }: OpenSession) => [browser || t("unknownBrowser"), system].filter(Boolean).join(" · ");
  return (
    <div className="ms-stack">
      <p className="ms-second">{t("sessionsWhat")}</p>
      <PageState state={sessions} rows={3}>
        {({ items }) => (
          <>
            {items.length === 0 ? <p className="ms-third">{t("noSessions")}</p> : null}
            <ul className="ms-list">
              {items.map((session) => (
                <li key={session.id} className="ms-row ms-pad">
                  <span className="ms-grow">
                    <span className="ms-bold">{named(session)}</span> {session.current ? <span className="ms-second">{t("thisOne")}</span> : null}
                    <br />
                    <span className="ms-third ms-caption ms-num">
                      {t("sessionSince", { begun: time(session.begun_ms), seen: time(session.seen_ms), address: session.address || "-" })}
                    </span>
                  </span>
                  {session.current ? null : (
                    <Button size="small" aria-label={t("endThis", { name: named(session) })} onClick={() => run(api.delete(`${place}/${session.id}`))}>
                      {t("end")}
                    </Button>
                  )}
                </li>
              ))}
            </ul>
            {items.some(({ current }) => !current) ? <Button onClick={() => run(endAll())}>{t(user ? "endAll" : "endOthers")}</Button> : null}
          </>
        )}
      </PageState>
    </div>
  );
}
