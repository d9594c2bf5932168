// The Gaussians that the page draws, as Spark packs them: four 32-bit words each. Editing colours, hides, changes and adds rows here, and can take that back.
import { fromHalf, type PackedSplats, setPackedSplat } from "./spark";

type Vector = readonly [number, number, number];

const WORDS = 4;
/** Bytes of a row as the platform sends it (editing.v1 ReadGaussiansResponse). */
export const ROW_BYTES = 32;
const MIN_PICK_OPACITY = 0.25;
const PICK_RADIUS_PX = 8;

/** What rows were before, so that a change can be taken back. */
export interface Snapshot {
  readonly rows: Uint32Array;
  readonly words: Uint32Array;
}

export class Splats {
  readonly centre: Vector;
  /** Half the extent of all but the outermost tenth. */
  readonly radius: number;
  #marked: Snapshot | undefined;

  constructor(
    private readonly packed: PackedSplats,
    /** Whether the file's y and z axes point the other way; the world's frame is y up. */
    private readonly isUpsideDown: boolean,
  ) {
    [this.centre, this.radius] = this.#measure();
  }

  get count(): number {
    return this.packed.numSplats;
  }

  /** A row's centre in the world's frame. */
  centreOf(row: number): Vector {
    const words = this.#words();
    const xy = words[row * WORDS + 1] ?? 0;
    const z = words[row * WORDS + 2] ?? 0;
    const turn = this.isUpsideDown ? -1 : 1;
    return [fromHalf(xy & 0xffff), turn * fromHalf(xy >>> 16), turn * fromHalf(z & 0xffff)];
  }

  /** 0 to 255. */
  opacityOf(row: number): number {
    return (this.#words()[row * WORDS] ?? 0) >>> 24;
  }

  /** sRGB, 0 to 1; the colour seen straight on. */
  colourOf(row: number): Vector {
    const word = this.#words()[row * WORDS] ?? 0;
    const [low, high] = this.#range();
    const level = (byte: number) => Math.min(1, Math.max(0, low + (byte / 255) * (high - low)));
    return [level(word & 0xff), level((word >>> 8) & 0xff), level((word >>> 16) & 0xff)];
  }

  /** The front Gaussian under a place of the picture; `project` gives pixels and depth, nothing for what is behind. */
  pick(xPx: number, yPx: number, project: (centre: Vector) => readonly [number, number, number] | undefined): number | undefined {
    let best: number | undefined;
    let nearest = Number.POSITIVE_INFINITY;
    for (let row = 0; row < this.count; row++) {
      if (this.opacityOf(row) < MIN_PICK_OPACITY * 255) continue;
      const place = project(this.centreOf(row));
      if (place && place[2] < nearest && Math.hypot(place[0] - xPx, place[1] - yPx) < PICK_RADIUS_PX) {
        nearest = place[2];
        best = row;
      }
    }
    return best;
  }

  /** What rows are now. */
  snapshot(rows: Uint32Array): Snapshot {
    const words = new Uint32Array(rows.length * WORDS);
    const all = this.#words();
    rows.forEach((row, place) => {
      for (let word = 0; word < WORDS; word++) words[place * WORDS + word] = all[row * WORDS + word] ?? 0;
    });
    return { rows, words };
  }

  /** Makes rows again what they were. */
  restore({ rows, words }: Snapshot): void {
    const all = this.#words();
    rows.forEach((row, place) => {
      all.set(words.subarray(place * WORDS, place * WORDS + WORDS), row * WORDS);
    });
  }

  /** Colours rows so that a person sees that they are selected; what was coloured before goes back. */
  mark(rows: Uint32Array): void {
    this.unmark();
    this.#marked = this.snapshot(rows);
    const all = this.#words();
    const [low, high] = this.#range();
    const byte = (level: number) => Math.round(Math.min(1, Math.max(0, (level - low) / (high - low))) * 255);
    const gold = [byte(1), byte(0.72), byte(0.12)] as const;
    for (const row of rows) {
      const word = all[row * WORDS] ?? 0;
      const mixed = gold.map((level, channel) => Math.round(0.25 * ((word >>> (8 * channel)) & 0xff) + 0.75 * level));
      const opacity = word >>> 24;
      // What is taken away stays so; the rest is seen well even where it is faint.
      const shown = opacity === 0 ? 0 : Math.max(opacity, 110);
      all[row * WORDS] = ((mixed[0] ?? 0) | ((mixed[1] ?? 0) << 8) | ((mixed[2] ?? 0) << 16) | (shown << 24)) >>> 0;
    }
  }

  unmark(): void {
    if (this.#marked) this.restore(this.#marked);
    this.#marked = undefined;
  }

  /** Takes rows away from what is seen. */
  hide(rows: Uint32Array): void {
    const all = this.#words();
    for (const row of rows) all[row * WORDS] = (all[row * WORDS] ?? 0) & 0x00ffffff;
  }

  /** Writes rows as the platform sends them, from a first one on; there may be more than before. With `only` the others stay. */
  write(first: number, bytes: Uint8Array, only?: ReadonlySet<number>): void {
    const count = Math.floor(bytes.length / ROW_BYTES);
    this.packed.ensureSplats(first + count);
    this.packed.numSplats = Math.max(this.packed.numSplats, first + count);
    const all = this.#words();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const turn = this.isUpsideDown ? -1 : 1;
    const encoding = this.packed.splatEncoding;
    for (let place = 0; place < count; place++) {
      if (only && !only.has(first + place)) continue;
      const at = place * ROW_BYTES;
      const number = (index: number) => view.getFloat32(at + 4 * index, true);
      const level = (index: number) => view.getUint8(at + 24 + index) / 255;
      const part = (index: number) => (view.getUint8(at + 28 + index) - 128) / 128;
      const [w, x, y, z] = [part(0), part(1), part(2), part(3)];
      const length = Math.hypot(w, x, y, z) || 1;
      // A half turn about x takes a quaternion's y and z to their negatives, as it does a centre's.
      setPackedSplat(
        all, first + place,
        number(0), turn * number(1), turn * number(2),
        number(3), number(4), number(5),
        x / length, (turn * y) / length, (turn * z) / length, w / length,
        level(3), level(0), level(1), level(2),
        encoding,
      ); // biome-ignore format: a row is read as it is laid out
    }
  }

  /** Leaves off rows behind a count, as when an edit that added them is taken back. */
  shorten(count: number): void {
    const all = this.#words();
    for (let row = count; row < this.packed.numSplats; row++) all[row * WORDS] = (all[row * WORDS] ?? 0) & 0x00ffffff;
  }

  #words(): Uint32Array {
    return this.packed.packedArray ?? new Uint32Array(0);
  }

  #range(): readonly [number, number] {
    return [this.packed.splatEncoding?.rgbMin ?? 0, this.packed.splatEncoding?.rgbMax ?? 1];
  }

  /** The median of the centres, and half the extent of nine tenths of them: a few Gaussians far away do not count. */
  #measure(): readonly [Vector, number] {
    const step = Math.max(1, Math.floor(this.count / 20_000));
    const sampled: Vector[] = [];
    for (let row = 0; row < this.count; row += step) sampled.push(this.centreOf(row));
    const sorted = [0, 1, 2].map((axis) => sampled.map((centre) => centre[axis] ?? 0).sort((one, other) => one - other));
    const at = (axis: number, share: number) => sorted[axis]?.[Math.floor((sampled.length - 1) * share)] ?? 0;
    const centre: Vector = [at(0, 0.5), at(1, 0.5), at(2, 0.5)];
    const extent = [0, 1, 2].map((axis) => at(axis, 0.95) - at(axis, 0.05));
    return [centre, Math.max(1e-3, Math.hypot(...extent) / 2)];
  }
}
