// Masks of rows: a bit for each, the lowest bit of a byte first, base64 in JSON.

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** The rows that a mask names. */
export function rowsOf(mask: string): Uint32Array {
  const bytes = bytesOf(mask);
  const rows: number[] = [];
  bytes.forEach((byte, place) => {
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) rows.push(place * 8 + bit);
  });
  return Uint32Array.from(rows);
}

/** The mask that names rows. */
export function maskOf(rows: Iterable<number>, rowCount: number): string {
  const bytes = new Uint8Array(Math.ceil(rowCount / 8));
  for (const row of rows) bytes[row >> 3] = (bytes[row >> 3] ?? 0) | (1 << (row & 7));
  let text = "";
  for (let start = 0; start < bytes.length; start += 0x8000) text += String.fromCharCode(...bytes.subarray(start, start + 0x8000));
  return btoa(text);
}
