"""Prints the accuracy figures of the sample video, from observations to angles, and whether each reaches its goal.

    python bench/accuracy/motion_sample.py [OBSERVATIONS.npz]

Without an argument it takes tests/golden/motion/observations.npz: what the real pose nets said about the sample video
of the `sports2d` wheel. The truth
(boxes, sides, knees) was labelled by hand, see tests/golden/motion/README.md. Ends with code 1 where a goal is missed.
"""

from __future__ import annotations

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biomechanics_service.core.analysis import analyze_motion
from biomechanics_service.core.association import ObservedPersons, collect_persons
from biomechanics_service.core.config import MotionConfig
from biomechanics_service.core.landmarks import POINT_INDEX
from biomechanics_service.core.types import MotionAnalysis, PersonMotion
from praxiscope_numerics import measure_jitter, measure_noise
from tracking_service.core.config import PEOPLE_PRESET
from tracking_service.core.tracker import create_tracker

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "motion"
# A labelled box counts as found from this overlap on; people in the sample never overlap each other by that much.
MIN_IOU = 0.4
# A body of which less than a half is in view (the edge of a tree, of the picture) is not asked for.
MIN_VISIBLE = 0.5
JUMP_DEG = 25.0
# The man does jumping jacks on the roof, facing the camera, until he turns to walk at frame 95. He stands still in
# frames 0 to 8 and 76 to 87 only, too few to measure in. So his movement is in the second differences, and what is
# faster than this is shown beside them.
JUMPING_FRAMES = range(0, 95)
MOVEMENT_HZ = 6.0
# A labelled knee is plainly wrong beyond the first, good within the second; between them the label itself is too
# coarse.
WRONG_DEG, GOOD_DEG = 30.0, 15.0


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure and its goal."""

    name: str
    value: str
    goal: str
    is_reached: bool


def load_frames(path: Path) -> tuple[list[ObservedPersons], np.ndarray, tuple[float, float]]:
    """Reads observations, one row per frame and person, and gives them identities by the people preset."""
    with np.load(path) as archive:
        table = {name: archive[name] for name in archive.files}
    time_s = table["offset_s"].astype(np.float64)
    tracker, frames = create_tracker(PEOPLE_PRESET), []
    for frame_index in range(len(time_s)):
        rows = np.flatnonzero(table["frame"] == frame_index)
        tracked = tracker.update(table["box"][rows].astype(np.float64), table["score"][rows], frame_index)
        ids = np.full(len(rows), -1)
        ids[tracked.detection_index] = tracked.ids
        frames.append(
            ObservedPersons(
                frame_index=frame_index,
                person_ids=ids,
                boxes_xyxy_px=table["box"][rows].astype(np.float64),
                coco_px=table["kp"][rows].astype(np.float64),
                blazepose_px=table["lm"][rows].astype(np.float64),
                blazepose_presence=table["presence"][rows].astype(np.float64),
                blazepose_world_m=table["world"][rows].astype(np.float64),
            )
        )
    return frames, time_s, (float(table["width"]), float(table["height"]))


def read_labels(name: str) -> list[dict[str, str]]:
    """Reads a table of hand-made labels."""
    with (GOLDEN / name).open(newline="") as file:
        return list(csv.DictReader(file))


def compute_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Computes the overlap of two boxes (left, top, right, bottom)."""
    size = np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0.0)
    union = np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2]) - np.prod(size)
    return float(np.prod(size) / union)


def follow_people(frames: list[ObservedPersons]) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Lists, per labelled person, the ids found at the labelled boxes, and the frames where none was."""
    ids: dict[str, list[int]] = {}
    lost: dict[str, list[int]] = {}
    for row in read_labels("boxes.csv"):
        if float(row["visible"]) < MIN_VISIBLE:
            continue
        left, top, width, height = (float(row[key]) for key in ("left", "top", "width", "height"))
        truth, frame = np.array([left, top, left + width, top + height]), frames[int(row["frame"])]
        overlaps = [
            (compute_iou(truth, box), int(i)) for box, i in zip(frame.boxes_xyxy_px, frame.person_ids, strict=True)
        ]
        best, person_id = max(overlaps, default=(0.0, -1))
        if best >= MIN_IOU and person_id > 0:
            ids.setdefault(row["person"], []).append(person_id)
        else:
            lost.setdefault(row["person"], []).append(int(row["frame"]))
    return ids, lost


def count_right_sides(people: dict[str, PersonMotion]) -> tuple[list[dict[str, str]], list[tuple[str, int]]]:
    """Lists the labels, and those where knees and ankles lie nearer to each other's labels than to their own."""
    rows, wrong = read_labels("sides.csv"), []
    for row in rows:
        person = people[row["person"]]
        points = person.points_px[int(row["frame"]) - person.frame_index[0]]
        kept = exchanged = 0.0
        for side, other in (("left", "right"), ("right", "left")):
            for joint in ("knee", "ankle"):
                if not row[f"{side}_{joint}_x"]:
                    continue
                truth = np.array([float(row[f"{side}_{joint}_x"]), float(row[f"{side}_{joint}_y"])])
                pair = points[[POINT_INDEX[f"{side}_{joint}"], POINT_INDEX[f"{other}_{joint}"]]]
                if np.isfinite(pair).all():
                    kept += float(np.linalg.norm(pair[0] - truth))
                    exchanged += float(np.linalg.norm(pair[1] - truth))
        if not kept < exchanged:
            wrong.append((row["person"], int(row["frame"])))
    return rows, wrong


def rate_jumps(persons: tuple[PersonMotion, ...], name: str) -> tuple[int, int, list[tuple[int, str, int]]]:
    """Counts steps over `JUMP_DEG` between neighbouring frames of an angle before any low-pass."""
    jumps, steps, where = 0, 0, []
    for person in persons:
        for letter in "rl":
            change = np.abs(np.diff(person.angles[name.format(letter)].raw_deg))
            steps += int(np.isfinite(change).sum())
            places = np.flatnonzero(change > JUMP_DEG)
            jumps += len(places)
            where += [(person.person_id, letter, int(person.frame_index[place + 1])) for place in places]
    return jumps, steps, where


def measure_cover(people: dict[str, PersonMotion], name: str) -> float:
    """Measures in which share of the frames in which a person was found the angles were measured."""
    seen = found = 0
    for person in people.values():
        is_found = np.isfinite(person.boxes_xyxy_px).all(axis=1)
        for letter in "rl":
            seen += int(np.isfinite(person.angles[name.format(letter)].raw_deg[is_found]).sum())
            found += int(is_found.sum())
    return seen / found


def judge_confidence(people: dict[str, PersonMotion]) -> tuple[list[float], list[float]]:
    """Collects the confidences of plainly wrong and of good knees, by the labels."""
    wrong, good = [], []
    for row in read_labels("knees.csv"):
        person = people[row["person"]]
        place = int(row["frame"]) - int(person.frame_index[0])
        angle = person.angles[f"knee_angle_{row['side'][0]}"]
        if not 0 <= place < len(angle.raw_deg) or not np.isfinite(angle.raw_deg[place]):
            continue
        hip, knee, ankle = (np.array([float(row[f"{j}_x"]), float(row[f"{j}_y"])]) for j in ("hip", "knee", "ankle"))
        up, down = hip - knee, ankle - knee
        truth = 180.0 - np.degrees(np.arccos(up @ down / np.linalg.norm(up) / np.linalg.norm(down)))
        error = abs(float(angle.raw_deg[place]) - truth)
        (wrong if error > WRONG_DEG else good if error < GOOD_DEG else []).append(float(angle.confidence[place]))
    return wrong, good


def measure_figures(path: Path) -> tuple[list[Figure], MotionAnalysis]:
    """Measures all figures."""
    frames, time_s, size = load_frames(path)
    analysis = analyze_motion(collect_persons(frames, time_s, image_size_wh_px=size), MotionConfig())
    ids, lost = follow_people(frames)
    by_id = {person.person_id: person for person in analysis.persons}
    people = {name: by_id[max(set(found), key=found.count)] for name, found in ids.items()}
    figures = [
        Figure(
            name=f"identity of the {name}",
            value=f"ids {sorted(set(found))} in {len(found)} labelled frames, not found in {lost.get(name, [])}",
            goal="one id, found in all",
            is_reached=len(set(found)) == 1 and not lost.get(name),
        )
        for name, found in sorted(ids.items())
    ]
    for name in ("knee_angle_{}", "knee_angle_{}_3d"):
        jumps, steps, where = rate_jumps(tuple(people.values()), name)
        share = jumps / steps
        figures.append(
            Figure(
                name=f"{name.format('r/l')} jumps over {JUMP_DEG:.0f} deg/frame before any low-pass",
                value=f"{jumps} of {steps} = {100 * share:.2f} % {where}, "
                f"measured in {100 * measure_cover(people, name):.0f} % of frames",
                goal="< 1 %" if "3d" not in name else "none set",
                is_reached=share < 0.01 or "3d" in name,
            )
        )
    rows, wrong = count_right_sides(people)
    counts = {name: sum(row["person"] == name for row in rows) for name in sorted(people)}
    right = {name: count - sum(person == name for person, _ in wrong) for name, count in counts.items()}
    each = ", ".join(f"the {name}'s {right[name]} of {count}" for name, count in counts.items())
    figures.append(
        Figure(
            name="left and right of legs (the woman's eight crossings, the man's turn and two crossings)",
            value=f"{sum(right.values())} of {len(rows)} right ({each}), wrong in {wrong}",
            goal=">= 95 %",
            is_reached=sum(right.values()) >= 0.95 * len(rows),
        )
    )
    man = people["man"]
    for letter in "rl":
        frames_shown = slice(JUMPING_FRAMES.start, JUMPING_FRAMES.stop)
        raw_deg, time_shown_s = man.angles[f"knee_angle_{letter}"].raw_deg[frames_shown], man.time_s[frames_shown]
        jitter, noise = measure_jitter(raw_deg), measure_noise(raw_deg, time_shown_s, movement_hz=MOVEMENT_HZ)
        figures.append(
            Figure(
                name=f"jitter of the jumping man's knee_angle_{letter} before any low-pass",
                value=f"{jitter:.2f} deg by second differences, his movement among them; above {MOVEMENT_HZ:.0f} Hz "
                f"{noise:.2f} deg",
                goal="< 2 deg",
                is_reached=jitter < 2.0,
            )
        )
    if (GOLDEN / "knees.csv").exists():
        bad, good = judge_confidence(people)
        below, above = sum(c < 0.5 for c in bad), sum(c > 0.5 for c in good)
        figures.append(
            Figure(
                name="confidence of plainly wrong knees",
                value=f"{below} of {len(bad)} below 0.5 {[round(c, 2) for c in bad]}",
                goal="all",
                is_reached=below == len(bad),
            )
        )
        figures.append(
            Figure(
                name="confidence of good knees",
                value=f"{above} of {len(good)} above 0.5",
                goal=">= 90 %",
                is_reached=above >= 0.9 * len(good),
            )
        )
    return figures, analysis


def main(arguments: list[str]) -> int:
    """Prints the figures."""
    path = Path(arguments[0]) if arguments else GOLDEN / "observations.npz"
    figures, _ = measure_figures(path)
    for figure in figures:
        print(f"{'ok  ' if figure.is_reached else 'MISS'} {figure.name}: {figure.value} (goal: {figure.goal})")
    return 0 if all(figure.is_reached for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
