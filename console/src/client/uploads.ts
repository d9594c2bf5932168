// Uploads in parts: they go on while the person looks at other pages, survive a connection that breaks, and resume where the same file is chosen again.
import type { Asset, Kind, Operation, PartTicket, Upload } from "../contract/generated";
import { zipOf } from "./archive";
import { PlatformError, tell, unreachable } from "./errors";
import { sha256Of } from "./hash";
import { call, newRequestId, pause } from "./http";
import { operations } from "./operations";
import { session } from "./session";
import { Store } from "./store";

/** What is done with the asset once it is there. */
export type After =
  | { readonly kind: "keep" }
  | { readonly kind: "motion"; readonly heightM: number }
  | { readonly kind: "world"; readonly quality: "QUALITY_DRAFT" | "QUALITY_STANDARD" | "QUALITY_HIGH" };

export interface Wish {
  readonly files: readonly File[];
  readonly kind: Kind;
  readonly name: string;
  readonly after: After;
}

type Stage = "packing" | "checking" | "sending" | "waiting" | "finishing" | "done" | "failed" | "cancelled";

export interface UploadState {
  readonly id: number;
  readonly wish: Wish;
  readonly stage: Stage;
  /** Share of the stage, 0 to 1. */
  readonly progress: number;
  readonly sizeBytes: number;
  readonly sentBytes: number;
  /** What went wrong, for people. */
  readonly problem?: string;
  readonly reason?: string;
  readonly asset?: Asset;
  readonly operation?: Operation;
}

const PARTS_AT_ONCE = 3;
const MAX_PAUSE_MS = 8_000;
const REMEMBERED = "praxiscope-uploads";

class Uploads extends Store<readonly UploadState[]> {
  #count = 0;
  readonly #endings = new Map<number, AbortController>();

  constructor() {
    super([]);
  }

  /** Starts an upload and returns its number. */
  start(wish: Wish): number {
    const id = ++this.#count;
    const sizeBytes = wish.files.reduce((sum, file) => sum + file.size, 0);
    this.set([{ id, wish, stage: "checking", progress: 0, sizeBytes, sentBytes: 0 }, ...this.value]);
    this.#go(id);
    return id;
  }

  /** Tries one that failed again, with the same files and words. */
  retry(id: number): void {
    this.#change(id, { stage: "checking", progress: 0, problem: "", reason: "" });
    this.#go(id);
  }

  cancel(id: number): void {
    this.#endings.get(id)?.abort(new DOMException("cancelled", "AbortError"));
    this.#change(id, { stage: "cancelled" });
  }

  forget(id: number): void {
    this.set(this.value.filter((item) => item.id !== id));
  }

  #go(id: number): void {
    const ending = new AbortController();
    this.#endings.set(id, ending);
    this.#run(id, ending.signal).catch((problem: unknown) => {
      if (ending.signal.aborted) return;
      this.#change(id, { stage: "failed", problem: tell(problem), reason: problem instanceof PlatformError ? problem.reason : "" });
    });
  }

  async #run(id: number, signal: AbortSignal): Promise<void> {
    const wish = this.value.find((item) => item.id === id)?.wish;
    const [first] = wish?.files ?? [];
    if (!wish || !first) return;
    let body: Blob = first;
    let fileName = first.name;
    if (wish.kind === "KIND_IMAGE_SET" && !/\.zip$/i.test(first.name)) {
      this.#change(id, { stage: "packing", progress: 0 });
      body = await zipOf(wish.files, (progress) => this.#change(id, { progress })).catch((problem: unknown) => {
        throw new PlatformError(problem instanceof Error ? problem.message : "The photos cannot be read.", "ARCHIVE");
      });
      fileName = "photos.zip";
    }
    this.#change(id, { stage: "checking", progress: 0, sizeBytes: body.size });
    const sha256 = await sha256Of(body, (progress) => this.#change(id, { progress }), signal);
    const upload = await this.#withPatience(id, signal, () => begin({ body, fileName, sha256, wish }));
    await this.#send(id, upload, body, signal);
    this.#change(id, { stage: "finishing", progress: 1 });
    const name = upload.name ?? "";
    const asset = await this.#withPatience(id, signal, () => call("UploadService_CompleteUpload", { path: { name }, body: {} }, { signal }));
    forgetUpload(sha256);
    const operation = await this.#withPatience(id, signal, startAfter(asset, wish.after));
    this.#change(id, operation ? { stage: "done", asset, operation } : { stage: "done", asset });
    if (operation) operations.put(operation);
    operations.refresh();
  }

  /** Sends what has not arrived; goes on by itself where the connection was away. */
  async #send(id: number, upload: Upload, body: Blob, signal: AbortSignal): Promise<void> {
    const name = upload.name ?? "";
    const partBytes = Number(upload.partSizeBytes ?? 0) || body.size;
    const total = upload.partCount ?? 1;
    const arrived = new Map<number, number>();
    for (const part of upload.receivedParts ?? []) arrived.set(part, Math.min(partBytes, body.size - (part - 1) * partBytes));
    const tell = () => {
      const sentBytes = [...arrived.values()].reduce((sum, bytes) => sum + bytes, 0);
      this.#change(id, { stage: "sending", sentBytes, progress: body.size ? sentBytes / body.size : 1 });
    };
    tell();
    while (total > 0) {
      const answer = await this.#withPatience(id, signal, () => call("UploadService_CreatePartTickets", { path: { name }, body: {} }, { signal }));
      const tickets = [...(answer.tickets ?? [])];
      if (tickets.length === 0) return;
      const sendNext = async (): Promise<void> => {
        for (let ticket = tickets.shift(); ticket; ticket = tickets.shift()) {
          const taken = ticket;
          const part = taken.partNumber ?? 0;
          const bytes = partOf(body, taken);
          await this.#withPatience(id, signal, () =>
            put(taken, bytes, signal, (count) => {
              arrived.set(part, count);
              tell();
            }),
          );
          arrived.set(part, bytes.size);
          tell();
        }
      };
      try {
        await Promise.all(Array.from({ length: PARTS_AT_ONCE }, sendNext));
      } catch (problem) {
        // Tickets end after a while, as when the connection was away for long; new ones are asked for.
        if (!(problem instanceof PlatformError && problem.reason === "INVALID_TICKET")) throw problem;
      }
    }
  }

  /** Repeats until it works or is refused; the person sees that it waits. */
  async #withPatience<T>(id: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (problem) {
        signal.throwIfAborted();
        if (!(problem instanceof PlatformError && problem.isTransient)) throw problem;
        const before = this.value.find((item) => item.id === id)?.stage ?? "sending";
        this.#change(id, { stage: "waiting", problem: problem.message });
        const wait = Math.min(MAX_PAUSE_MS, Math.max((problem.retryAfterS ?? 0) * 1000, 500 * 2 ** attempt));
        await Promise.race([pause(wait, signal), online(signal)]);
        this.#change(id, { stage: before === "waiting" ? "sending" : before, problem: "" });
      }
    }
  }

  #change(id: number, change: Partial<UploadState>): void {
    this.set(this.value.map((item) => (item.id === id && item.stage !== "cancelled" ? { ...item, ...change } : item)));
  }
}

export const uploads = new Uploads();

/** Says whether something would be lost if the page were closed now. */
export function isUploading(): boolean {
  return uploads.value.some((item) => !["done", "failed", "cancelled"].includes(item.stage));
}

interface Beginning {
  readonly body: Blob;
  readonly fileName: string;
  readonly sha256: string;
  readonly wish: Wish;
}

/** A new upload, or the one of the same bytes that was broken off. */
async function begin({ body, fileName, sha256, wish }: Beginning): Promise<Upload> {
  const known = remembered()[sha256];
  if (known?.startsWith(`${session.project}/`)) {
    const found = await call("UploadService_GetUpload", { path: { name: known } }).catch(() => undefined);
    if (found?.state === "STATE_OPEN" && found.kind === wish.kind) return found;
  }
  const upload = await call("UploadService_CreateUpload", {
    path: { parent: session.project },
    body: { upload: { kind: wish.kind, fileName, displayName: wish.name, sizeBytes: String(body.size), sha256 }, requestId: newRequestId() },
  });
  remember(sha256, upload.name ?? "");
  return upload;
}

/** What is started once the asset is there; the request id is one, however often it is tried. */
function startAfter(asset: Asset, after: After): () => Promise<Operation | undefined> {
  const assetVersion = asset.latestVersion ?? "";
  const requestId = newRequestId();
  return async () => {
    if (after.kind === "motion") {
      const body = { video: {}, heightM: after.heightM, requestId };
      return call("MotionService_AnalyzeMotion", { path: { assetVersion }, body });
    }
    if (after.kind === "world") {
      const body = { photos: {}, quality: after.quality, displayName: asset.displayName ?? "", requestId };
      return call("GenerationService_ReconstructWorld", { path: { assetVersion }, body });
    }
    return undefined;
  };
}

function partOf(body: Blob, ticket: PartTicket): Blob {
  const start = Number(ticket.offsetBytes ?? 0);
  return body.slice(start, start + Number(ticket.sizeBytes ?? 0));
}

/** Puts one part; fetch does not tell how far it is, so this is an XMLHttpRequest. */
function put(ticket: PartTicket, bytes: Blob, signal: AbortSignal, onBytes: (count: number) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", ticket.uri ?? "");
    request.upload.onprogress = (event) => onBytes(Math.min(bytes.size, event.loaded));
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(signal.reason);
    request.onload = () => {
      if (request.status < 300) {
        resolve();
        return;
      }
      let said: { message?: string; details?: readonly { reason?: string }[] } = {};
      try {
        said = JSON.parse(request.responseText) as typeof said;
      } catch {
        // A proxy's page, not ours; the status says enough.
      }
      const reason = said.details?.find((detail) => detail.reason)?.reason ?? "UNKNOWN";
      // A part that came broken is put again, as is one that a proxy in between gave up.
      const status = reason === "UPLOAD_BROKEN_OFF" || request.status === 504 ? 503 : request.status;
      reject(new PlatformError(said.message || `Praxiscope answered with ${request.status}.`, reason, status));
    };
    signal.addEventListener("abort", () => request.abort());
    request.send(bytes);
  });
}

function online(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => window.addEventListener("online", () => resolve(), { once: true, signal }));
}

function remembered(): Record<string, string> {
  try {
    return JSON.parse(localStorage.getItem(REMEMBERED) ?? "{}") as Record<string, string>;
  } catch {
    return {};
  }
}

function remember(sha256: string, upload: string): void {
  const newest = Object.entries({ ...remembered(), [sha256]: upload }).slice(-20);
  localStorage.setItem(REMEMBERED, JSON.stringify(Object.fromEntries(newest)));
}

function forgetUpload(sha256: string): void {
  const { [sha256]: _, ...rest } = remembered();
  localStorage.setItem(REMEMBERED, JSON.stringify(rest));
}
