// Photos as one zip archive, stored and not compressed, as pictures are. The archive is made of the files themselves: nothing is copied into memory, but read
// once for its checksum.
// Source: APPNOTE.TXT 6.3.10, sections 4.3.7, 4.3.12, 4.3.16; CRC-32 of ISO 3309, reflected polynomial 0xEDB88320.

const SLICE_BYTES = 4 << 20;
const UTF8_NAME_FLAG = 0x0800;
const VERSION = 20;
const MAX_COUNT = 0xffff;
const MAX_BYTES = 0xffffffff;

/** Why these files cannot be one archive. */
export class ArchiveError extends Error {}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

/** CRC-32, going on from one of the bytes before; 0 begins. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let rest = ~before;
  for (const byte of bytes) rest = (TABLE[(rest ^ byte) & 0xff] ?? 0) ^ (rest >>> 8);
  return ~rest >>> 0;
}

/** One archive with these files, in their order; files of the same name get a number. Throws an ArchiveError. */
export async function zipOf(files: readonly File[], onProgress: (share: number) => void = () => undefined): Promise<Blob> {
  const total = files.reduce((sum, file) => sum + file.size, 0);
  if (files.length > MAX_COUNT || total + files.length * 1024 > MAX_BYTES) {
    throw new ArchiveError("These are too many photos for one archive: at most 65,535, and 4 GB together. Leave some out.");
  }
  const parts: BlobPart[] = [];
  const directory: BlobPart[] = [];
  const taken = new Set<string>();
  let offset = 0;
  let read = 0;
  let directoryBytes = 0;
  for (const file of files) {
    let checksum = 0;
    for (let start = 0; start < file.size; start += SLICE_BYTES) {
      const slice = new Uint8Array(await file.slice(start, start + SLICE_BYTES).arrayBuffer());
      checksum = crc32(slice, checksum);
      read += slice.length;
      onProgress(total ? read / total : 1);
    }
    const name = new TextEncoder().encode(freeName(file.name, taken));
    const common = [
      u16(VERSION),
      u16(UTF8_NAME_FLAG),
      u16(0),
      ...timeOf(file),
      u32(checksum),
      u32(file.size),
      u32(file.size),
      u16(name.length),
      u16(0),
    ];
    const local = joined([u32(0x04034b50), ...common, name]);
    parts.push(local, file);
    const entry = joined([u32(0x02014b50), u16(VERSION), ...common, u16(0), u16(0), u16(0), u32(0), u32(offset), name]);
    directory.push(entry);
    directoryBytes += entry.length;
    offset += local.length + file.size;
  }
  const end = joined([u32(0x06054b50), u16(0), u16(0), u16(files.length), u16(files.length), u32(directoryBytes), u32(offset), u16(0)]);
  return new Blob([...parts, ...directory, end], { type: "application/zip" });
}

function freeName(name: string, taken: Set<string>): string {
  const dot = name.lastIndexOf(".");
  let free = name;
  for (let number = 2; taken.has(free); number++) free = dot > 0 ? `${name.slice(0, dot)}-${number}${name.slice(dot)}` : `${name}-${number}`;
  taken.add(free);
  return free;
}

/** DOS time and date: two seconds' steps, from 1980. */
function timeOf(file: File): Uint8Array<ArrayBuffer>[] {
  const moment = new Date(file.lastModified);
  const year = Math.max(1980, Math.min(2107, moment.getFullYear()));
  return [
    u16((moment.getHours() << 11) | (moment.getMinutes() << 5) | (moment.getSeconds() >> 1)),
    u16(((year - 1980) << 9) | ((moment.getMonth() + 1) << 5) | moment.getDate()),
  ];
}

const u16 = (value: number) => new Uint8Array([value & 0xff, (value >> 8) & 0xff]);
const u32 = (value: number) => new Uint8Array([value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff]);

function joined(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
