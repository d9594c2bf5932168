// The file `cameras.json` of a world (services/generation, adapters/posed_pictures.py): from where its pictures were taken. Cameras look along +z, with y down.
import type { PinholeCamera } from "../contract/generated";

export interface TakenFrom {
  readonly name: string;
  readonly width_px: number;
  readonly height_px: number;
  readonly focal_px: readonly [number, number];
  readonly centre_px: readonly [number, number];
  /** `world_from_camera` by rows, 3 or 4 of them. */
  readonly world_from_camera: readonly (readonly number[])[];
}

type Vector = readonly [number, number, number];

/** Where one stands and looks; angles in radians. */
export interface View {
  readonly position: Vector;
  readonly forward: Vector;
  readonly up: Vector;
  readonly verticalFieldRad: number;
}

export function viewOf(camera: TakenFrom): View {
  const row = (index: number) => camera.world_from_camera[index] ?? [];
  const column = (index: number): Vector => [row(0)[index] ?? 0, row(1)[index] ?? 0, row(2)[index] ?? 0];
  const [downX, downY, downZ] = column(1);
  return {
    position: column(3),
    forward: column(2),
    up: [-downX, -downY, -downZ],
    verticalFieldRad: 2 * Math.atan(camera.height_px / 2 / camera.focal_px[1]),
  };
}

/** The contract's camera for a view that is drawn in a picture of this size. */
export function pinholeOf(view: View, widthPx: number, heightPx: number): PinholeCamera {
  const focalPx = heightPx / 2 / Math.tan(view.verticalFieldRad / 2);
  const [x, y, z] = view.position;
  return {
    widthPx,
    heightPx,
    focalXPx: focalPx,
    focalYPx: focalPx,
    centreXPx: widthPx / 2,
    centreYPx: heightPx / 2,
    rotation: quaternionOf(view),
    position: { x, y, z },
  };
}

/** The rotation `world_from_camera` as a quaternion; its columns are right, down and forward. */
export function quaternionOf(view: View): { w: number; x: number; y: number; z: number } {
  const f = normalized(view.forward);
  const r = normalized(cross(f, view.up));
  const d = cross(f, r);
  const [m00, m10, m20] = r;
  const [m01, m11, m21] = d;
  const [m02, m12, m22] = f;
  // The largest of the four is found first, so that nothing small is divided by. Source: Shepperd 1978.
  const w = Math.sqrt(Math.max(0, 1 + m00 + m11 + m22)) / 2;
  const x = Math.sqrt(Math.max(0, 1 + m00 - m11 - m22)) / 2;
  const y = Math.sqrt(Math.max(0, 1 - m00 + m11 - m22)) / 2;
  const z = Math.sqrt(Math.max(0, 1 - m00 - m11 + m22)) / 2;
  const most = Math.max(w, x, y, z);
  if (most === w) return { w, x: (m21 - m12) / (4 * w), y: (m02 - m20) / (4 * w), z: (m10 - m01) / (4 * w) };
  if (most === x) return { w: (m21 - m12) / (4 * x), x, y: (m01 + m10) / (4 * x), z: (m02 + m20) / (4 * x) };
  if (most === y) return { w: (m02 - m20) / (4 * y), x: (m01 + m10) / (4 * y), y, z: (m12 + m21) / (4 * y) };
  return { w: (m10 - m01) / (4 * z), x: (m02 + m20) / (4 * z), y: (m12 + m21) / (4 * z), z };
}

/** The view of a camera at a place that a quaternion `world_from_camera`, of any length, turned; the other way of `quaternionOf`. */
export function viewTurned({ w, x, y, z }: { w: number; x: number; y: number; z: number }, position: Vector, verticalFieldRad: number): View {
  const half = (w * w + x * x + y * y + z * z) / 2 || 1;
  return {
    position,
    forward: [(x * z + w * y) / half, (y * z - w * x) / half, 1 - (x * x + y * y) / half],
    up: [-(x * y - w * z) / half, (x * x + z * z) / half - 1, -(y * z + w * x) / half],
    verticalFieldRad,
  };
}

/** A view as the part of an address behind `#`, so that a link opens what its sender saw. */
export function hashOf(view: View): string {
  return `#view=${[...view.position, ...view.forward].map((value) => Number(value.toFixed(3))).join(",")}`;
}

/** The view in such an address, standing upright; none where there is none. */
export function viewInHash(hash: string, verticalFieldRad: number): View | undefined {
  const values = /^#view=(-?[\d.]+(?:,-?[\d.]+){5})$/.exec(hash)?.[1]?.split(",").map(Number);
  if (values?.length !== 6 || values.some((value) => !Number.isFinite(value))) return undefined;
  const [x = 0, y = 0, z = 0, fx = 0, fy = 0, fz = 0] = values;
  if (Math.hypot(fx, fy, fz) < 0.5) return undefined;
  return { position: [x, y, z], forward: [fx, fy, fz], up: [0, 1, 0], verticalFieldRad };
}

function cross([ax, ay, az]: Vector, [bx, by, bz]: Vector): Vector {
  return [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx];
}

function normalized([x, y, z]: Vector): Vector {
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}
