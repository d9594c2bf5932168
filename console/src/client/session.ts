// Who is signed in. The tokens are in cookies that this page cannot read; here is only what it is told, and how it asks for new ones.
import { errorOfAnswer, PlatformError, unreachable } from "./errors";
import { forgetKept } from "./kept";
import { Store } from "./store";

/** What the gateway says of a session (services/gateway/internal/session). */
interface SignedIn {
  readonly subject: string;
  readonly project: string;
  readonly permissions: readonly string[] | null;
  readonly expireTime?: string;
  readonly canRenew: boolean;
}

/** `starting` until it is known; `expired` while a page is open whose session has ended, which keeps what is typed in it. */
export type SessionState =
  | { readonly kind: "starting" | "out" }
  | { readonly kind: "in" | "expired"; readonly subject: string; readonly project: string; readonly name: string };

export type Credentials = { readonly email: string; readonly password: string; readonly project?: string } | { readonly apiKey: string };

const LOCK = "praxiscope-renew";

class Session extends Store<SessionState> {
  #renewing: Promise<boolean> | undefined;
  #waiting: (() => void)[] = [];

  constructor() {
    super({ kind: "starting" });
  }

  /** The project of every call; empty while nobody is signed in. */
  get project(): string {
    return "project" in this.value ? this.value.project : "";
  }

  /** Finds out who is signed in, as far as the cookies say. */
  async start(): Promise<void> {
    if (!(await this.#ask()) && !((await this.renew()) && (await this.#ask()))) this.set({ kind: "out" });
  }

  /** Signs in; where a page waits for it, its calls go on. */
  async signIn(credentials: Credentials): Promise<void> {
    const before = this.value;
    await post("/session", credentials);
    if (!(await this.#ask())) throw new PlatformError("You are signed in, but Praxiscope does not say as whom; try again.", "UNKNOWN");
    const now = this.value;
    if (before.kind === "expired" && now.kind === "in" && (before.subject !== now.subject || before.project !== now.project)) {
      window.location.assign("/"); // somebody else, or elsewhere: nothing of the page before is theirs
      return;
    }
    for (const goOn of this.#waiting.splice(0)) goOn();
  }

  async signOut(): Promise<void> {
    await post("/session/end", undefined).catch(() => undefined);
    forgetKept();
    window.location.assign("/");
  }

  /** Goes over to another project and opens its library. */
  async switchProject(project: string): Promise<void> {
    await post("/session/renew", { project });
    window.location.assign("/");
  }

  /** Asks for a new access token, once however many calls need it; says whether there is one. */
  renew(): Promise<boolean> {
    this.#renewing ??= renewAlone().finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  /** Waits until the person has signed in again; what they see stays as it is. */
  signedInAgain(): Promise<void> {
    if (this.value.kind === "in") this.set({ ...this.value, kind: "expired" });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #ask(): Promise<boolean> {
    const answer = await fetch("/v1/auth/caller").catch(() => {
      throw unreachable();
    });
    if (!answer.ok) {
      if (answer.status === 401) return false;
      throw await errorOfAnswer(answer);
    }
    const caller = (await answer.json()) as { subject?: string; project?: string; user?: { email?: string; displayName?: string } };
    const name = caller.user?.displayName || caller.user?.email || "API key";
    this.set({ kind: "in", subject: caller.subject ?? "", project: caller.project ?? "", name });
    return true;
  }
}

export const session = new Session();

/** Renews while no other window of this browser does, where the browser can say so; the gateway answers those that ask together with one answer in any case. */
async function renewAlone(): Promise<boolean> {
  const renew = () =>
    post("/session/renew", {}).then(
      () => true,
      (problem: unknown) => {
        if (problem instanceof PlatformError && problem.httpStatus === 401) return false;
        throw problem;
      },
    );
  return navigator.locks ? navigator.locks.request(LOCK, renew) : renew();
}

async function post(path: string, body: unknown): Promise<SignedIn | undefined> {
  const headers: Record<string, string> = body === undefined ? {} : { "content-type": "application/json" };
  const answer = await fetch(path, { method: "POST", headers, body: body === undefined ? null : JSON.stringify(body) }).catch(() => {
    throw unreachable();
  });
  if (!answer.ok) throw await errorOfAnswer(answer);
  return answer.status === 204 ? undefined : ((await answer.json()) as SignedIn);
}
