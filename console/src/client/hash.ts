import { PlatformError } from "./errors";

interface Said {
  readonly share?: number;
  readonly sha256?: string;
  readonly unreadable?: boolean;
}

/** SHA-256 of a file, 64 hexadecimal digits; tells how far it is, 0 to 1. */
export function sha256Of(file: Blob, onProgress: (share: number) => void, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./hash.worker.ts", import.meta.url), { type: "module" });
    const end = (what: () => void) => {
      worker.terminate();
      what();
    };
    worker.onmessage = ({ data }: MessageEvent<Said>) => {
      if (data.share !== undefined) onProgress(data.share);
      else if (data.sha256) end(() => resolve(data.sha256 ?? ""));
      else end(() => reject(new PlatformError("The file cannot be read any more; choose it again.", "FILE_UNREADABLE")));
    };
    worker.onerror = () => end(() => reject(new PlatformError("This browser could not read the file; reload the page.", "FILE_UNREADABLE")));
    signal.addEventListener("abort", () => end(() => reject(signal.reason)));
    worker.postMessage(file);
  });
}
