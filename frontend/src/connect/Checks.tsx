import { useCallback, useEffect, useRef, useState } from "react";
import { Button } from "antd";
import { request } from "../api";
import { Failure } from "../components/PageState";
import { formatNumber } from "../format/number";
import { useSay, useWords } from "../words";
import { connectWords } from "../words/connect";
import { type Cure, curesOf } from "./cures";
import type { Check, Driver, Settings } from "./types";

/** A gateway tries longer than other requests last: each step has its own limit. */
const TEST_MS = 60_000;

export interface Question {
  driver: string;
  settings: Settings;
  gateway: string;
  id?: string;
}

export interface TestState {
  checks: readonly Check[] | null;
  error: unknown;
  busy: boolean;
  run: (question: Question) => void;
}

/** Run a connection's checks; another run replaces the one under way. */
export function useTest(): TestState {
  const [state, setState] = useState<Omit<TestState, "run">>({ checks: null, error: null, busy: false });
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const run = useCallback((question: Question) => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    setState({ checks: null, error: null, busy: true });
    request("POST", "/connections/test", { body: question, signal: abort.signal, timeoutMs: TEST_MS })
      .then((answer) => answer.json() as Promise<{ checks: Check[] }>)
      .then(
        ({ checks }) => !abort.signal.aborted && setState({ checks, error: null, busy: false }),
        (error: unknown) => !abort.signal.aborted && setState({ checks: null, error, busy: false }),
      );
  }, []);
  return { ...state, run };
}

/** The answer comes when all steps ended: until then the seconds show that something goes on. */
function RunningFor() {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setSeconds((count) => count + 1), 1000);
    return () => clearInterval(timer);
  }, []);
  return (
    <span className="ms-num" aria-hidden="true">
      {seconds} s
    </span>
  );
}

/** A step that took no time that can be told says so by nothing. */
function elapsedText(ms: number): string {
  return ms < 0.05 ? "" : `${formatNumber(ms, ms < 10 ? 1 : 0)} ms`;
}

interface ChecksProps {
  test: TestState;
  driver: Driver | undefined;
  settings: Settings;
  /** Takes a cure the failing check offers; without it cures are only read. */
  onCure?: (cure: Cure) => void;
  onAgain: () => void;
}

/** The checks in their order: the first that fails carries its cure. */
export function Checks({ test, driver, settings, onCure, onAgain }: ChecksProps) {
  const t = useWords(connectWords);
  const say = useSay();
  const { checks, busy, error } = test;
  const failing = checks?.find(({ ok }) => !ok);
  const cures = failing && driver && onCure ? curesOf(failing, driver, settings) : [];
  return (
    <div className="ms-stack">
      {error ? <Failure error={error} /> : null}
      {busy ? (
        <p role="status" className="ms-second">
          {t("testing")}… <RunningFor />
        </p>
      ) : null}
      {checks ? (
        <ol className="ms-checks">
          {checks.map((check, index) => (
            <li key={index} data-ok={check.ok}>
              <span className="ms-check-mark" role="img" aria-label={t(check.ok ? "passed" : "failedCheck")}>
                {check.ok ? "✓" : "✕"}
              </span>
              <span className="ms-check-name">{say(check.name)}</span>
              <span className="ms-check-detail">{say(check.detail)}</span>
              <span className="ms-num ms-third ms-grid-end">{elapsedText(check.elapsed_ms)}</span>
            </li>
          ))}
        </ol>
      ) : null}
      {checks ? (
        <p role="status" className={failing ? "ms-bold" : "ms-second"}>
          {failing ? t("stoppedAt", { name: say(failing.name) }) : t("allPassed", { n: checks.length })}
        </p>
      ) : null}
      {cures.some(({ trust }) => trust) ? <p className="ms-second">{t("compareFirst")}</p> : null}
      <div className="ms-actions">
        {cures.map((cure) => (
          <Button key={cure.label} onClick={() => onCure?.(cure)}>
            {cure.trust ? t("trustFingerprint") : t("useInstead", { value: cure.label })}
          </Button>
        ))}
        <Button onClick={onAgain} loading={busy}>
          {t(checks || error ? "testAgain" : "test")}
        </Button>
      </div>
    </div>
  );
}
