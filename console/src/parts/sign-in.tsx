import { type FormEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { PlatformError } from "../client/errors";
import { session } from "../client/session";
import { Problem } from "./problem";

/** The first page of whoever is not signed in. */
export function SignIn() {
  useEffect(() => {
    document.title = "Sign in · Praxiscope";
  }, []);
  return (
    <main className="sign-in">
      <div className="card stack">
        <div className="brand">
          <img src="/icon.svg" alt="" /> Praxiscope
        </div>
        <h1>Sign in</h1>
        <SignInForm />
        <p className="soft small">
          On this machine, <code>make up</code> writes the first account's address, password and key to{" "}
          <code>.praxiscope/stack/credentials.json</code>.
        </p>
      </div>
    </main>
  );
}

/** Over the page of somebody whose session ended; the page below stays as it is. */
export function SignInAgain() {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="again" onCancel={(event) => event.preventDefault()}>
      <div className="stack">
        <h2 id="again">Your session has ended</h2>
        <p className="soft">Sign in again to go on. What you typed and chose is still here.</p>
        <SignInForm>
          <button type="button" className="button plain" onClick={() => void session.signOut()}>
            Sign out instead
          </button>
        </SignInForm>
      </div>
    </dialog>
  );
}

function SignInForm({ children }: { readonly children?: ReactNode }) {
  const [way, setWay] = useState<"password" | "key">("password");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name: string) => String(given.get(name) ?? "").trim();
    setBusy(true);
    setProblem(undefined);
    try {
      await session.signIn(way === "key" ? { apiKey: text("apiKey") } : { email: text("email"), password: String(given.get("password") ?? "") });
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <form className="stack" onSubmit={(event) => void submit(event)}>
      <fieldset className="row">
        <legend className="visually-hidden">How to sign in</legend>
        <button type="button" className="button tight" aria-pressed={way === "password"} onClick={() => setWay("password")}>
          Password
        </button>
        <button type="button" className="button tight" aria-pressed={way === "key"} onClick={() => setWay("key")}>
          API key
        </button>
      </fieldset>
      {way === "password" ? (
        <>
          <label className="field">
            <span>E-mail</span>
            <input name="email" type="email" autoComplete="username" required maxLength={254} />
          </label>
          <label className="field">
            <span>Password</span>
            <input name="password" type="password" autoComplete="current-password" required maxLength={1000} />
          </label>
        </>
      ) : (
        <label className="field">
          <span>API key</span>
          <input name="apiKey" type="password" autoComplete="off" required maxLength={200} placeholder="pxk_…" />
        </label>
      )}
      {problem !== undefined && <Problem problem={withHelp(problem)} />}
      <div className="row">
        <button type="submit" className="button main" disabled={isBusy}>
          {isBusy ? "Signing in…" : "Sign in"}
        </button>
        {children}
      </div>
    </form>
  );
}

function withHelp(problem: unknown): unknown {
  if (problem instanceof PlatformError && problem.reason === "ACCOUNT_LOCKED") {
    return new PlatformError(`${problem.message} Whoever runs Praxiscope here can help sooner.`, problem.reason, problem.httpStatus);
  }
  return problem;
}
