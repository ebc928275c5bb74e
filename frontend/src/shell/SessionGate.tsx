import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { Modal } from "antd";
import { api, ApiError, onSignedOut } from "../api";
import { Failure, Loading } from "../components/PageState";
import { shiftsOfPlant } from "../format/shifts";
import { Zone } from "../format/time";
import { usePreferences } from "../preferences";
import { rankOf, type Session, SessionContext } from "../session";
import type { Person, Site } from "../types";
import { useWords } from "../words";
import { shellWords } from "../words/shell";
import { Routes } from "./routes";
import { OwnPasswordPage, SignInForm, SignInPage } from "./SignIn";

interface SessionReply {
  user: Person;
}

type Loaded = { site: Site; person: Person | null };

async function load(): Promise<Loaded> {
  const site = await api.get<Site>("/site");
  if (!site.signed_in) return { site, person: null };
  const session = await api.get<SessionReply>("/session").catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  });
  return { site, person: session?.user ?? null };
}

/** Hold requests that met an ended session until the person has signed in again. */
function useSignInAgain(): { asking: boolean; done: () => void } {
  const [asking, setAsking] = useState(false);
  const waiting = useRef<(() => void)[]>([]);
  useEffect(() => {
    onSignedOut(() => {
      setAsking(true);
      return new Promise((resolve) => waiting.current.push(resolve));
    });
    return () => onSignedOut(null);
  }, []);
  const done = useCallback(() => {
    setAsking(false);
    for (const resolve of waiting.current.splice(0)) resolve();
  }, []);
  return { asking, done };
}

function SignedIn({ site, person, onPerson }: { site: Site; person: Person; onPerson: (person: Person | null) => void }) {
  const t = useWords(shellWords);
  const { asking, done } = useSignInAgain();
  const session = useMemo<Session>(
    () => ({
      site,
      zone: new Zone(site.zone, shiftsOfPlant(site.shifts)),
      person,
      may: (role) => rankOf(person.role) >= rankOf(role),
      signOut: async () => {
        await api.delete("/session");
        onPerson(null);
      },
      update: onPerson,
    }),
    [site, person, onPerson],
  );
  const again = (next: Person) => {
    if (next.id !== person.id) onPerson(next);
    done();
  };
  return (
    <SessionContext value={session}>
      <Routes />
      <Modal open={asking} title={t("signInAgain")} footer={null} closable={false} width={400} destroyOnHidden>
        <p className="ms-second">{t("signInAgainText")}</p>
        <SignInForm username={`${person.tenant}/${person.username}`} onSignedIn={again} />
      </Modal>
    </SessionContext>
  );
}

/** Show the sign-in page, the first change of password, or the plant. */
export function SessionGate() {
  const [state, setState] = useState<Loaded | null>(null);
  const [error, setError] = useState<unknown>(null);
  const [round, setRound] = useState(0);
  const { setLanguage, setTheme } = usePreferences();

  const onPerson = useCallback(
    (person: Person | null) => {
      if (person?.language) setLanguage(person.language);
      if (person?.theme) setTheme(person.theme);
      setState((before) => before && { ...before, person });
    },
    [setLanguage, setTheme],
  );
  useEffect(() => {
    let current = true;
    load().then(
      (loaded) => {
        if (!current) return;
        setState(loaded);
        onPerson(loaded.person);
      },
      (reason: unknown) => current && setError(reason),
    );
    return () => {
      current = false;
    };
  }, [round, onPerson]);

  if (!state && error) {
    const retry = () => {
      setError(null);
      setRound((count) => count + 1);
    };
    return <Failure error={error} onRetry={retry} />;
  }
  if (!state) return <Loading />;
  const signedIn = (person: Person) => {
    onPerson(person);
    // Someone of another company: its name and time zone are other ones.
    if (person.tenant !== state.site.tenant) setRound((count) => count + 1);
  };
  if (!state.person) return <SignInPage site={state.site} onSignedIn={signedIn} />;
  if (state.person.must_change_password) return <OwnPasswordPage site={state.site} person={state.person} onDone={onPerson} />;
  return <SignedIn site={state.site} person={state.person} onPerson={onPerson} />;
}
