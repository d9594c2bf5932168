// Files of versions: what there is, and signed addresses under which a browser fetches them.
import type { AssetVersion, File as StoredFile } from "../contract/generated";
import { errorOfAnswer, unreachable } from "./errors";
import { call } from "./http";

export type { StoredFile };

/** A version with its files. */
export function readVersion(name: string): Promise<AssetVersion> {
  return call("AssetService_GetAssetVersion", { path: { name } });
}

/** An address that works for five minutes; `isSaved` has the browser keep the file rather than show it. */
export async function addressOf(version: string, path: string, isSaved = false): Promise<string> {
  const answer = await call("AssetService_CreateDownload", { path: { assetVersion: version }, body: { media: { path }, attachment: isSaved } });
  return answer.uri ?? "";
}

/** Fetches a file whole; tells how far it is, 0 to 1. */
export async function fetchFile(version: string, path: string, onProgress?: (share: number) => void, signal?: AbortSignal): Promise<Uint8Array> {
  const address = await addressOf(version, path);
  const answer = await fetch(address, { signal: signal ?? null }).catch(() => {
    throw unreachable();
  });
  if (!answer.ok) throw await errorOfAnswer(answer);
  const total = Number(answer.headers.get("content-length") ?? 0);
  if (!answer.body || !total || !onProgress) return new Uint8Array(await answer.arrayBuffer());
  const whole = new Uint8Array(total);
  const reader = answer.body.getReader();
  let count = 0;
  for (;;) {
    const { done, value } = await reader.read().catch(() => {
      throw unreachable();
    });
    if (done) break;
    whole.set(value, count);
    count += value.length;
    onProgress(count / total);
  }
  return whole;
}

export async function fetchJson<T>(version: string, path: string): Promise<T> {
  return JSON.parse(new TextDecoder().decode(await fetchFile(version, path))) as T;
}

export async function fetchText(version: string, path: string): Promise<string> {
  return new TextDecoder().decode(await fetchFile(version, path));
}

/** Has the browser save a file. */
export async function saveFile(version: string, path: string): Promise<void> {
  const link = document.createElement("a");
  link.href = await addressOf(version, path, true);
  link.download = path.split("/").at(-1) ?? path;
  link.click();
}
