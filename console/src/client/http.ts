// Calls of the contracts' methods: typed by them, repeated where that is safe, made again after the person signed in anew.
import { type Operations, ROUTES } from "../contract/generated";
import { errorOfAnswer, type PlatformError, unreachable } from "./errors";
import { session } from "./session";

type Method = keyof Operations;
type Part<Name extends string, T> = T extends undefined | Record<string, never> ? { readonly [K in Name]?: T } : { readonly [K in Name]: T };

/** What a method is asked: the names in its path, its query and its body. */
export type Question<M extends Method> = Part<"path", Operations[M]["path"]> & {
  readonly query?: Operations[M]["query"];
} & Part<"body", Operations[M]["body"]>;

interface Options {
  readonly signal?: AbortSignal;
}

const MAX_ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;

/** Makes a call and returns its answer; throws a PlatformError. */
export async function call<M extends Method>(method: M, question: Question<M>, options: Options = {}): Promise<Operations[M]["answer"]> {
  const [verb] = ROUTES[method];
  const { path, query, body } = question as { path?: Record<string, string>; query?: Record<string, unknown>; body?: unknown };
  // A body with a request id does its work once, however often it comes.
  const isRepeatable = verb === "GET" || (typeof body === "object" && body !== null && "requestId" in body);
  const init: RequestInit = { method: verb, signal: options.signal ?? null };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  const answer = await send(urlOf(method, path ?? {}, query ?? {}), init, isRepeatable);
  return (await answer.json()) as Operations[M]["answer"];
}

/** Follows a server stream; yields its answers until it ends. */
export async function* follow<M extends Method>(method: M, question: Question<M>, options: Options = {}): AsyncGenerator<Operations[M]["answer"]> {
  const { path } = question as { path?: Record<string, string> };
  const init: RequestInit = { method: "GET", headers: { accept: "text/event-stream" }, signal: options.signal ?? null };
  const answer = await send(urlOf(method, path ?? {}, {}), init, true);
  if (!answer.body) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(() => {
        throw unreachable();
      });
      if (done) return;
      const events = (rest + value).split("\n\n");
      rest = events.pop() ?? "";
      for (const event of events) {
        if (event.startsWith("data: ")) {
          const said = JSON.parse(event.slice(6)) as { result?: Operations[M]["answer"] };
          if (said.result !== undefined) yield said.result;
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** The address of a method. */
export function urlOf(method: Method, path: Readonly<Record<string, string>>, query: Readonly<Record<string, unknown>>): string {
  const [, template] = ROUTES[method];
  const filled = template.replace(/\{([^}]+)\}/g, (_, name: string) => (path[name] ?? "").split("/").map(encodeURIComponent).join("/"));
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "" && value !== false);
  return given.length ? `${filled}?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : filled;
}

async function send(url: string, init: RequestInit, isRepeatable: boolean): Promise<Response> {
  let wasRenewed = false;
  for (let attempt = 1; ; ) {
    const answer = await fetch(url, init).catch((error: unknown) => {
      if (init.signal?.aborted) throw error;
      return undefined;
    });
    if (answer?.ok) return answer;
    if (answer?.status === 401) {
      if (wasRenewed || !(await session.renew())) await session.signedInAgain();
      wasRenewed = true;
      continue;
    }
    const problem: PlatformError = answer ? await errorOfAnswer(answer) : unreachable();
    if (!problem.isTransient || !isRepeatable || attempt === MAX_ATTEMPTS) throw problem;
    await pause((problem.retryAfterS ?? 0) * 1000 || FIRST_PAUSE_MS * 2 ** (attempt - 1), init.signal ?? undefined);
    attempt += 1;
  }
}

/** Waits; ends early, by throwing, where the signal does. */
export function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** A request id for a call that does its work once. */
export function newRequestId(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  // Pages that do not come over TLS have no randomUUID, but randomness.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
