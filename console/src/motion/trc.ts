// Markers in TRC text, as OpenSim and Pose2Sim have it: metres, y up. A missing marker is three empty cells.

export interface Markers {
  readonly names: readonly string[];
  readonly timeS: Float64Array;
  /** [T, M, 3] metres; NaN where a marker was not seen. */
  readonly positionsM: Float32Array;
}

const HEAD_LINES = 5;

export function readTrc(text: string): Markers {
  const lines = text.split(/\r?\n/);
  const names = (lines[3] ?? "")
    .split("\t")
    .slice(2)
    .filter((name) => name !== "");
  const rows = lines
    .slice(HEAD_LINES)
    .filter((line) => line.trim() !== "")
    .map((line) => line.split("\t"));
  const timeS = Float64Array.from(rows, (cells) => Number(cells[1]));
  const positionsM = new Float32Array(rows.length * names.length * 3);
  rows.forEach((cells, row) => {
    for (let index = 0; index < names.length * 3; index++) {
      const cell = cells[2 + index];
      positionsM[row * names.length * 3 + index] = cell ? Number(cell) : Number.NaN;
    }
  });
  return { names, timeS, positionsM };
}

/** Pairs of markers between which a bone is drawn. */
export const BONES: readonly (readonly [string, string])[] = [
  ["LShoulder", "RShoulder"],
  ["LHip", "RHip"],
  ...["L", "R"].flatMap((side) =>
    [
      ["Shoulder", "Elbow"],
      ["Elbow", "Wrist"],
      ["Shoulder", "Hip"],
      ["Hip", "Knee"],
      ["Knee", "Ankle"],
      ["Ankle", "Heel"],
      ["Heel", "BigToe"],
      ["Ankle", "BigToe"],
    ].map(([start, end]) => [`${side}${start}`, `${side}${end}`] as const),
  ),
];
