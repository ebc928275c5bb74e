import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { App, Modal } from "antd";
import { Denied, returned } from "../account/returned";
import { api, ApiError, onSignedOut } from "../api";
import { Failure, Loading } from "../components/PageState";
import { shiftsOfPlant } from "../format/shifts";
import { Zone } from "../format/time";
import { usePreferences } from "../preferences";
import { rightsOf, type Session, SessionContext } from "../session";
import type { Person, Site } from "../types";
import { useSay, useWords } from "../words";
import { accountWords } from "../words/account";
import { shellWords } from "../words/shell";
import { Routes } from "./routes";
import { OwnFactorPage, OwnPasswordPage, SignInForm, SignInPage } from "./SignIn";

interface SessionReply {
  user: Person;
}

interface Loaded {
  site: Site;
  person: Person | null;
  /** What the second step is taken with, for someone who comes back from a provider. */
  begun?: string[];
  refused?: ApiError | Denied;
}

/** Send on what a provider answered, if that is why the page was opened. */
async function comeBack(site: Site): Promise<Loaded | null> {
  try {
    const step = await returned();
    if (!step) return null;
    if ("second_step" in step) return { site, person: null, begun: step.second_step };
    return { site: await api.get<Site>("/site"), person: step.user };
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof Denied)) throw error;
    return { site, person: null, refused: error };
  }
}

async function load(): Promise<Loaded> {
  const site = await api.get<Site>("/site");
  const back = await comeBack(site);
  if (back && (back.person || !site.signed_in)) return back;
  if (!site.signed_in) return { site, person: null };
  const session = await api.get<SessionReply>("/session").catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  });
  return { site, person: session?.user ?? null, ...(back?.refused ? { refused: back.refused } : {}) };
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
      ...rightsOf(person),
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
  const tAccount = useWords(accountWords);
  const say = useSay();
  const { notification } = App.useApp();

  const adopt = useCallback(
    (person: Person | null) => {
      if (person?.language) setLanguage(person.language);
      if (person?.theme) setTheme(person.theme);
    },
    [setLanguage, setTheme],
  );
  const onPerson = useCallback(
    (person: Person | null) => {
      adopt(person);
      setState((before) => before && { site: before.site, person });
    },
    [adopt],
  );
  useEffect(() => {
    let current = true;
    load().then(
      (loaded) => {
        if (!current) return;
        setState(loaded);
        adopt(loaded.person);
      },
      (reason: unknown) => current && setError(reason),
    );
    return () => {
      current = false;
    };
  }, [round, adopt]);

  const refused = state?.refused;
  const reason = refused instanceof Denied ? tAccount(refused.words, { name: refused.provider, reason: refused.reason }) : refused ? say(refused.text) : null;
  const inside = state?.person != null;
  useEffect(() => {
    if (inside && reason) notification.error({ key: "provider", title: reason, placement: "bottomLeft" });
  }, [inside, reason, notification]);

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
  if (!state.person) return <SignInPage site={state.site} {...(state.begun ? { begun: state.begun } : {})} refused={reason} onSignedIn={signedIn} />;
  if (state.person.must_change_password) return <OwnPasswordPage site={state.site} person={state.person} onDone={onPerson} />;
  if (state.person.must_add_second_factor) return <OwnFactorPage site={state.site} person={state.person} onDone={onPerson} />;
  return <SignedIn site={state.site} person={state.person} onPerson={onPerson} />;
}
