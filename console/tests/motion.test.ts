import { describe, expect, it } from "vitest";
import { ticksOf } from "../src/motion/curves";
import { type Angle, checked, firstAngles, type MotionFile, type Person, rowAt, spanOf, stretchesOf } from "../src/motion/motion";
import { readTrc } from "../src/motion/trc";
import { angleInWords, bytesInWords, degrees } from "../src/parts/words";

function angle(values: readonly (number | null)[], confidence: readonly number[], range = 10): Angle {
  return { raw_deg: values, filtered_deg: values, velocity_deg_s: values, confidence, range_deg: range };
}

describe("a curve", () => {
  it("has a gap where nothing was measured and is faint where it is doubtful", () => {
    const stretches = stretchesOf(angle([1, 2, null, 3, 4, 5, 6, null, 7], [1, 1, 0, 0.9, 0.9, 0.5, 0.2, 0, 1]));
    expect(stretches).toEqual([
      { isSure: true, rows: [0, 1] },
      { isSure: true, rows: [3, 4] },
      { isSure: false, rows: [4, 5, 6] },
    ]);
  });

  it("is nothing where nothing was seen", () => {
    expect(stretchesOf(angle([null, null], [0, 0]))).toEqual([]);
    expect(spanOf([angle([null], [0])])).toEqual([0, 90]);
  });

  it("spans its values on whole tens", () => {
    expect(spanOf([angle([-11.5, null, 63], [1, 0, 1])])).toEqual([-20, 70]);
  });
});

describe("a time", () => {
  it.each([
    [-1, -1],
    [0, 0],
    [0.05, 0],
    [0.1, 1],
    [9, 2],
  ])("%s s shows row %s", (time, row) => expect(rowAt([0, 0.1, 0.2], time)).toBe(row));

  it("has round marks", () => {
    expect(ticksOf(0, 7.5, 6)).toEqual([0, 2, 4, 6]);
    expect(ticksOf(-20, 70, 5)).toEqual([-20, 0, 20, 40, 60]);
    expect(ticksOf(3, 3, 5)).toEqual([3]);
  });
});

it("shows first what moves surely, and estimates last", () => {
  const person = {
    angles: {
      still: angle([1, 1], [1, 1], 1),
      wild: angle([1, 2], [0.1, 0.1], 90),
      knee_angle_r: angle([1, 2], [1, 1], 60),
      knee_angle_r_3d: angle([1, 2], [1, 1], 70),
    },
  } as unknown as Person;
  expect(firstAngles(person, 2)).toEqual(["knee_angle_r", "knee_angle_r_3d"]);
});

it("refuses a motion of a version that it does not know", () => {
  expect(() => checked({ version: 2 } as MotionFile)).toThrow("version 2");
});

it("reads markers, and keeps what is missing apart from 0", () => {
  const text =
    "PathFileType\t4\t(X/Y/Z)\tx\nDataRate\n30\nFrame#\tTime\tLHip\t\t\tRHip\t\t\n\t\tX1\n\n1\t0.000000\t0.1\t0.9\t-0.2\t\t\t\n2\t0.033333\t0\t0\t0\t1\t2\t3\n";
  const { names, timeS, positionsM } = readTrc(text);
  expect(names).toEqual(["LHip", "RHip"]);
  expect([...timeS]).toEqual([0, 0.033333]);
  expect([...positionsM.slice(0, 3)].map((value) => Number(value.toFixed(3)))).toEqual([0.1, 0.9, -0.2]);
  expect(Number.isNaN(positionsM[3])).toBe(true);
  expect([...positionsM.slice(6)]).toEqual([0, 0, 0, 1, 2, 3]);
});

describe("words", () => {
  it.each([
    ["knee_angle_r", "Knee angle, right"],
    ["arm_flex_l_3d", "Arm flexion, left (3D)"],
    ["trunk_lean", "Trunk lean"],
    ["pelvis_rotation_3d", "Pelvis rotation (3D)"],
  ])("%s is %s", (name, words) => expect(angleInWords(name)).toBe(words));

  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [4_020_000, "4.0 MB"],
    [123_000_000_000, "123 GB"],
  ])("%s bytes are %s", (count, words) => expect(bytesInWords(count)).toBe(words));

  it("says nothing of an angle that was not measured", () => expect([degrees(null), degrees(Number.NaN), degrees(0)]).toEqual(["–", "–", "0.0°"]));
});
