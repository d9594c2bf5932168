import { beforeEach, describe, expect, it, vi } from "vitest";
import { hashOf, pinholeOf, quaternionOf, type TakenFrom, type View, viewInHash, viewOf } from "../src/world/cameras";
import { colourOf, hexOf } from "../src/world/edit-tools";
import { maskOf, rowsOf } from "../src/world/mask";

// Spark wants a browser; what is tested here is ours, on words packed as it packs them.
vi.mock("../src/world/spark", () => ({
  fromHalf: (half: number) => half,
  setPackedSplat: (words: Uint32Array, index: number, x: number, y: number, z: number, ...rest: number[]) => {
    const [, , , , , , , opacity = 0, red = 0, green = 0, blue = 0] = rest;
    words[index * 4] =
      (Math.round(red * 255) | (Math.round(green * 255) << 8) | (Math.round(blue * 255) << 16) | (Math.round(opacity * 255) << 24)) >>> 0;
    words[index * 4 + 1] = Math.abs(x) | (Math.abs(y) << 16);
    words[index * 4 + 2] = Math.abs(z);
  },
}));
vi.mock("@sparkjsdev/spark", () => ({}));

const CAMERA: TakenFrom = {
  name: "one",
  width_px: 400,
  height_px: 200,
  focal_px: [100, 100],
  centre_px: [200, 100],
  world_from_camera: [
    [1, 0, 0, 5],
    [0, -1, 0, 6],
    [0, 0, -1, 7],
  ],
};

describe("a camera", () => {
  it("of a picture looks along its z axis, y down", () => {
    const view = viewOf(CAMERA);
    expect(view.position).toEqual([5, 6, 7]);
    expect(view.forward).toEqual([0, 0, -1]);
    expect(view.up.map((value) => value + 0)).toEqual([0, 1, 0]);
    expect(view.verticalFieldRad).toBeCloseTo(Math.PI / 2);
  });

  it("comes back as the contract has it", () => {
    const pinhole = pinholeOf(viewOf(CAMERA), 400, 200);
    expect(pinhole.focalXPx).toBeCloseTo(100);
    expect(pinhole.position).toEqual({ x: 5, y: 6, z: 7 });
    // Half a turn about x: (w, x, y, z) = (0, 1, 0, 0), up to the sign.
    expect(Math.abs(pinhole.rotation?.x ?? 0)).toBeCloseTo(1);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7])("turned any way is a quaternion of length 1 that turns z to forward, case %s", (seed) => {
    const angle = seed * 0.9;
    const forward = [Math.sin(angle), Math.sin(seed * 1.7) * 0.8, Math.cos(angle)] as const;
    const view: View = { position: [0, 0, 0], forward, up: [0, 1, 0], verticalFieldRad: 1 };
    const { w, x, y, z } = quaternionOf(view);
    expect(Math.hypot(w, x, y, z)).toBeCloseTo(1);
    const turned = [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)];
    const length = Math.hypot(...forward);
    for (const [axis, value] of turned.entries()) expect(value).toBeCloseTo((forward[axis] ?? 0) / length);
  });

  it("goes into an address and comes back", () => {
    const view: View = { position: [1.5, -2, 3], forward: [0, 0.6, -0.8], up: [0, 1, 0], verticalFieldRad: 0.9 };
    expect(viewInHash(hashOf(view), 0.9)).toEqual(view);
  });

  it.each(["", "#view=1,2,3", "#view=1,2,3,0,0,0", "#view=1,2,3,4,5,x", "#view=....,1,2,3,4,5", "#other"])("is not read out of %s", (hash) => {
    expect(viewInHash(hash, 1)).toBeUndefined();
  });
});

describe("a mask", () => {
  it("counts its lowest bit first", () => expect([...rowsOf(btoa("\x05\x80"))]).toEqual([0, 2, 15]));

  it.each([[[]], [[0]], [[7, 8, 63, 999]]])("comes back: %s", (rows) => expect([...rowsOf(maskOf(rows, 1000))]).toEqual(rows));
});

it("colours come back", () => {
  expect(hexOf([1, 0.5, 0])).toBe("#ff8000");
  expect(colourOf("#ff0000")).toEqual({ red: 1, green: 0, blue: 0 });
});

describe("Gaussians of the page", () => {
  const pack = (red: number, opacity: number) => (red | (opacity << 24)) >>> 0;
  let words: Uint32Array;
  let splats: import("../src/world/splats").Splats;

  beforeEach(async () => {
    const { Splats } = await import("../src/world/splats");
    words = Uint32Array.from([0, 1, 2, 3, 4].flatMap((row) => [pack(10 + row, 200), row | (row << 16), row, 0]));
    const packed = {
      packedArray: words,
      numSplats: 5,
      ensureSplats(count: number) {
        const larger = new Uint32Array(count * 4);
        larger.set(this.packedArray.subarray(0, larger.length));
        this.packedArray = larger;
      },
    };
    splats = new Splats(packed as never, false);
  });

  it("are marked and unmarked without a trace", () => {
    const before = [0, 1, 2, 3, 4].map((row) => splats.colourOf(row));
    splats.mark(Uint32Array.of(1, 3));
    expect(splats.colourOf(1)).not.toEqual(before[1]);
    expect(splats.colourOf(2)).toEqual(before[2]);
    splats.mark(Uint32Array.of(2));
    expect(splats.colourOf(1)).toEqual(before[1]);
    splats.unmark();
    expect([0, 1, 2, 3, 4].map((row) => splats.colourOf(row))).toEqual(before);
  });

  it("are hidden, and back again", () => {
    const before = splats.snapshot(Uint32Array.of(0, 4));
    splats.hide(Uint32Array.of(0, 4));
    expect([0, 1, 4].map((row) => splats.opacityOf(row))).toEqual([0, 200, 0]);
    splats.restore(before);
    expect([0, 4].map((row) => splats.opacityOf(row))).toEqual([200, 200]);
  });

  it("are written as they are sent, only those that are meant, and more than before", () => {
    const rows = new Uint8Array(32 * 2);
    const view = new DataView(rows.buffer);
    for (const [index, value] of [9, 8, 7, 1, 1, 1].entries()) view.setFloat32(32 + 4 * index, value, true);
    rows.set([255, 0, 0, 255, 255, 128, 128, 128], 32 + 24);
    splats.write(4, rows, new Set([5]));
    expect(splats.count).toBe(6);
    expect(splats.centreOf(5)).toEqual([9, 8, 7]);
    expect(splats.opacityOf(5)).toBe(255);
    expect(splats.centreOf(4)).toEqual([4, 4, 4]);
    splats.shorten(5);
    expect(splats.opacityOf(5)).toBe(0);
  });

  it("are picked from the front, and only what is seen", () => {
    splats.hide(Uint32Array.of(0));
    const project = ([x, y, z]: readonly [number, number, number]) => (x === 4 ? undefined : ([50 + x, 50 + y, 10 - z] as const));
    expect(splats.pick(50, 50, project)).toBe(3);
    expect(splats.pick(500, 500, project)).toBeUndefined();
  });
});
