// SHA-256 of a file, away from the page; the browser's own digest wants the whole in memory, and TLS.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const SLICE_BYTES = 4 << 20;

addEventListener("message", async ({ data: file }: MessageEvent<Blob>) => {
  const digest = sha256.create();
  try {
    for (let start = 0; start < file.size; start += SLICE_BYTES) {
      const slice = await file.slice(start, start + SLICE_BYTES).arrayBuffer();
      digest.update(new Uint8Array(slice));
      postMessage({ share: Math.min(1, (start + SLICE_BYTES) / file.size) });
    }
    postMessage({ sha256: bytesToHex(digest.digest()) });
  } catch {
    postMessage({ unreadable: true });
  }
});
