import { type ReactNode, useEffect, useState } from "react";
import { App, Button, Skeleton } from "antd";
import { ApiError, reasonOf } from "../api";
import { useLink } from "../live";
import { useZone } from "../session";
import type { Role } from "../types";
import { useSay, useWords } from "../words";

const QUIET_MS = 150;

/** Nothing for 150 ms, then a still skeleton. */
export function Loading({ rows = 6 }: { rows?: number }) {
  const t = useWords();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), QUIET_MS);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className="ms-loading" role="status" aria-label={t("loading")}>
      {shown ? <Skeleton title={false} paragraph={{ rows, width: "100%" }} /> : null}
    </div>
  );
}

interface MessageProps {
  title: string;
  text?: ReactNode;
  action?: ReactNode;
  /** It is the whole page: its title is the page's heading. */
  page?: boolean;
}

/** A page or panel that has nothing to show: what it is for, and one next step. */
export function Empty({ title, text, action, page = false }: MessageProps) {
  const Title = page ? "h1" : "h2";
  return (
    <section className="ms-message">
      <Title>{title}</Title>
      {text ? <p>{text}</p> : null}
      {action ? <div className="ms-actions">{action}</div> : null}
    </section>
  );
}

/** A filter that leaves nothing: how many there are, and the way back to them. */
export function NoneMatch({ total, onClear }: { total: number; onClear: () => void }) {
  const t = useWords();
  return <Empty title={t("noneMatch", { total })} action={<Button onClick={onClear}>{t("clearFilter")}</Button>} />;
}

export function NoRights({ role }: { role: Role }) {
  const t = useWords();
  return <Empty page title={t("noRightsTitle")} text={t("noRightsNeed", { role: t(role) })} />;
}

/** What happened, where, what next; the request can be copied for whoever reads the server's log. */
export function Failure({ error, onRetry }: { error: unknown; onRetry?: (() => void) | undefined }) {
  const t = useWords();
  const say = useSay();
  const { message } = App.useApp();
  const known = error instanceof ApiError ? error : null;
  if (known?.status === 404) return <Empty title={t("missingTitle")} text={t("missingText")} />;
  const text = known ? say(known.text) : String(error);
  const copy = () => {
    const details = [text, known?.code, known?.requestId, location.href].filter(Boolean).join("\n");
    void navigator.clipboard?.writeText(details).then(() => message.success(t("copied")));
  };
  return (
    <div role="alert">
      <Empty
        title={known?.status === 403 ? t("noRightsTitle") : t("failedTitle")}
        text={text}
        action={
          <>
            {onRetry && known?.status !== 403 ? <Button onClick={onRetry}>{t("tryAgain")}</Button> : null}
            <Button onClick={copy}>{t("copyDetails")}</Button>
          </>
        }
      />
    </div>
  );
}

/** A line above a page: something is not as it should be, said in words. */
export function Banner({ children, action }: { children: ReactNode; action?: ReactNode }) {
  return (
    <div className="ms-banner" role="status">
      <span aria-hidden="true">◷</span>
      <span className="ms-grow">{children}</span>
      {action}
    </div>
  );
}

/** Above a page with live values, while the feed is cut. */
export function StaleBanner() {
  const t = useWords();
  const zone = useZone();
  const { state, sinceMs } = useLink();
  if (state !== "offline" || sinceMs === 0) return null;
  return <Banner>{t("staleBanner", { time: zone.time(sinceMs) })}</Banner>;
}

export interface Loaded<T> {
  value: T | undefined;
  error: unknown;
  reload: () => void;
}

/** Shows what was loaded; keeps it, with a line above, when a reload fails. */
export function PageState<T>({ state, rows, children }: { state: Loaded<T>; rows?: number; children: (value: T) => ReactNode }) {
  const t = useWords();
  const say = useSay();
  if (state.value === undefined) {
    return state.error ? <Failure error={state.error} onRetry={state.reload} /> : <Loading {...(rows && { rows })} />;
  }
  const reason = state.error ? say(reasonOf(state.error)) : "";
  return (
    <>
      {state.error ? (
        <Banner action={<Button size="small" onClick={state.reload}>{t("tryAgain")}</Button>}>
          {t("oldContent", { reason })}
        </Banner>
      ) : null}
      {children(state.value)}
    </>
  );
}
