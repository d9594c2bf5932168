// The file `motion.json` of a motion (services/biomechanics, core/tables.py), and what is drawn from it. Missing is null, never 0.

const KNOWN_VERSION = 1;
export const SURE = 0.5;

export interface Angle {
  readonly raw_deg: readonly (number | null)[];
  readonly filtered_deg: readonly (number | null)[];
  readonly velocity_deg_s: readonly (number | null)[];
  readonly confidence: readonly (number | null)[];
  readonly range_deg: number | null;
}

export interface Person {
  readonly person: number;
  readonly frame: readonly number[];
  readonly time_s: readonly number[];
  readonly is_scale_given: boolean;
  readonly angles: Readonly<Record<string, Angle>>;
  readonly not_measured: Readonly<Record<string, string>>;
  readonly symmetry_percent: Readonly<Record<string, number>>;
  readonly gait: {
    readonly strike_frames: Readonly<Record<string, readonly number[]>>;
    readonly off_frames: Readonly<Record<string, readonly number[]>>;
    readonly cadence_steps_per_min: number | null;
    readonly missing_reason: string;
  };
  readonly notes: readonly string[];
}

export interface MotionFile {
  readonly version: number;
  readonly note: string;
  readonly persons: readonly Person[];
  readonly skipped: Readonly<Record<string, string>>;
}

/** Why a motion's file is not read. */
export class MotionVersionError extends Error {}

export function checked(file: MotionFile): MotionFile {
  if (file.version !== KNOWN_VERSION) throw new MotionVersionError(`version ${file.version}`);
  return file;
}

/** A stretch of a curve that is drawn in one go: from row to row, all sure or all doubtful. */
export interface Stretch {
  readonly isSure: boolean;
  /** Rows, at least two; where sure turns to doubtful the row between belongs to both. */
  readonly rows: readonly number[];
}

/** Cuts a curve where nothing was measured, and where it turns from sure to doubtful. */
export function stretchesOf(angle: Angle): readonly Stretch[] {
  const found: { isSure: boolean; rows: number[] }[] = [];
  let current: { isSure: boolean; rows: number[] } | undefined;
  angle.filtered_deg.forEach((value, row) => {
    if (value === null) {
      current = undefined;
      return;
    }
    const isSure = (angle.confidence[row] ?? 0) > SURE;
    if (current && current.isSure === isSure) {
      current.rows.push(row);
      return;
    }
    const before = current?.rows.at(-1);
    current = { isSure, rows: before === undefined ? [row] : [before, row] };
    found.push(current);
  });
  return found.filter((stretch) => stretch.rows.length > 1);
}

/** The row that is shown at a time: the last that began; -1 before the first. */
export function rowAt(times: ArrayLike<number>, time: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((times[middle] ?? 0) <= time + 1e-6) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Least and largest value of curves, with a little air, on whole tens. */
export function spanOf(angles: readonly Angle[]): readonly [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const angle of angles) {
    for (const value of angle.filtered_deg) {
      if (value === null) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return [0, 90];
  return [Math.floor((low - 2) / 10) * 10, Math.ceil((high + 2) / 10) * 10];
}

/** The angles that are shown first: those with the widest sure movement, both sides of a joint together, depth estimates last. */
export function firstAngles(person: Person, most: number): readonly string[] {
  const weight = ([name, angle]: readonly [string, Angle]) => {
    const sure = angle.confidence.filter((value) => (value ?? 0) > SURE).length / Math.max(1, angle.confidence.length);
    return (angle.range_deg ?? 0) * sure * (name.endsWith("_3d") ? 0.2 : 1) * (/knee|hip_flexion/.test(name) ? 1.3 : 1);
  };
  return Object.entries(person.angles)
    .sort((one, other) => weight(other) - weight(one))
    .slice(0, most)
    .map(([name]) => name);
}
