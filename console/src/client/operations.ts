// Long work: what runs in the project, followed while it does.
import type {
  AnalyzeMotionResponse,
  ExportWorldResponse,
  GenerateWorldResponse,
  Motion,
  Operation,
  OperationMetadata,
  ReconstructWorldResponse,
  SaveWorldResponse,
} from "../contract/generated";
import { errorOfStatus, PlatformError } from "./errors";
import { call, follow, pause } from "./http";
import { session } from "./session";
import { Store } from "./store";

type AnyResponse = AnalyzeMotionResponse & ExportWorldResponse & GenerateWorldResponse & ReconstructWorldResponse & SaveWorldResponse;

/** How often the list is read while something runs, and while nothing does. */
const BUSY_MS = 2_000;
const IDLE_MS = 15_000;
/** A browser opens six connections to a server; streams must leave most of them for everything else. */
const MAX_WATCHED = 2;
const LISTED_COUNT = 20;

export function metadataOf(operation: Operation): OperationMetadata {
  return (operation.metadata ?? {}) as OperationMetadata;
}

/** The version that an operation made; empty where it made none. */
export function resultOf(operation: Operation): string {
  const response = (operation.response ?? {}) as AnyResponse;
  return response.motion?.assetVersion ?? response.assetVersion ?? "";
}

/** What an operation ended with, where that was an error. */
export function problemOf(operation: Operation): PlatformError | undefined {
  return operation.error ? errorOfStatus(operation.error) : undefined;
}

/** The asset that a version belongs to. */
export function assetOfVersion(version: string): string {
  return version.split("/").slice(0, 4).join("/");
}

/** The version with the video that was drawn of a motion, and its file; nothing where none was drawn. */
export async function overlayOf(motion: Motion): Promise<string | undefined> {
  if (motion.overlay) return motion.overlay;
  // The overlay is drawn after the motion is kept, so the motion itself may not know of it; what was made from it does.
  const name = motion.assetVersion ?? "";
  const { edges } = await call("AssetService_GetLineage", { path: { name }, query: { depth: 1 } });
  for (const { source, target } of edges ?? []) {
    if (source !== name || !target) continue;
    const asset = await call("AssetService_GetAsset", { path: { name: assetOfVersion(target) } }).catch(() => undefined);
    if (asset?.kind === "KIND_CLIP" && asset.state !== "STATE_DELETED") return target;
  }
  return undefined;
}

/** The project's newest operations; read again and again while a page is open, and sooner when asked. */
class OperationList extends Store<readonly Operation[]> {
  #wake: () => void = () => undefined;
  #isRunning = false;
  readonly #watched = new Map<string, AbortController>();

  constructor() {
    super([]);
  }

  start(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#loop();
  }

  /** Reads the list now, as when something was started. */
  refresh(): void {
    this.#wake();
  }

  /** Puts what is known of one operation in its place. */
  put(operation: Operation): void {
    const isKnown = this.value.some((item) => item.name === operation.name);
    this.set(isKnown ? this.value.map((item) => (item.name === operation.name ? operation : item)) : [operation, ...this.value]);
    this.#watch();
  }

  drop(name: string): void {
    this.set(this.value.filter((item) => item.name !== name));
  }

  async #loop(): Promise<void> {
    for (;;) {
      if (session.value.kind === "in" && !document.hidden) {
        try {
          const answer = await call("OperationService_ListOperations", { path: { parent: session.project }, query: { pageSize: LISTED_COUNT } });
          // Parts of other work are told of by that work.
          this.set((answer.operations ?? []).filter((operation) => !metadataOf(operation).parentOperation));
          this.#watch();
        } catch {
          // The next reading may work; what is shown stays.
        }
      }
      const isBusy = this.value.some((operation) => !operation.done);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, isBusy ? BUSY_MS : IDLE_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Follows the newest that run, as streams. */
  #watch(): void {
    for (const operation of this.value) {
      if (operation.done || !operation.name || this.#watched.has(operation.name) || this.#watched.size >= MAX_WATCHED) continue;
      const ending = new AbortController();
      this.#watched.set(operation.name, ending);
      void this.#watchOne(operation.name, ending.signal);
    }
  }

  async #watchOne(name: string, signal: AbortSignal): Promise<void> {
    try {
      for await (const operation of follow("OperationService_WatchOperation", { path: { name } }, { signal })) {
        this.set(this.value.map((item) => (item.name === name ? operation : item)));
      }
    } catch {
      // A stream that breaks is no news: the list is read anyway.
    } finally {
      this.#watched.delete(name);
    }
  }
}

export const operations = new OperationList();

/** Waits for an operation's end; throws what it ended with. */
export async function finish(name: string, onChange?: (operation: Operation) => void, signal?: AbortSignal): Promise<Operation> {
  for (;;) {
    const options = signal ? { signal } : {};
    try {
      for await (const operation of follow("OperationService_WatchOperation", { path: { name } }, options)) {
        onChange?.(operation);
        operations.put(operation);
        if (!operation.done) continue;
        const problem = problemOf(operation);
        if (problem) throw problem;
        return operation;
      }
    } catch (problem) {
      if (signal?.aborted || !(problem instanceof PlatformError) || !problem.isTransient) throw problem;
    }
    await pause(BUSY_MS, signal);
  }
}
