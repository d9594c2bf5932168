"""A crowd of our own with its truth: what trackers are scored and timed on where no data set may be shipped.

People walk between places in a picture, stop, and walk in front of each other; who stands lower in the picture is
nearer and larger. A detector of chance sees them: boxes shake, scores fall with what is hidden, people are missed for a
frame or for a while, and boxes appear where nobody is. Numbers are round and were chosen once, before any tracker ran
on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FRAME_RATE_HZ = 30.0
# Height in the picture at its top and at its bottom edge, pixels.
FAR_HEIGHT_PX, NEAR_HEIGHT_PX = 80.0, 240.0
WIDTH_PER_HEIGHT = 0.4
# 1.4 m/s at 1.7 m, and how people differ.
SPEED_HEIGHTS_PER_S, SPEED_SPREAD = 0.8, 0.25
# How fast a walker turns to a new direction, share per frame.
TURN_SHARE = 0.08
# Chance per frame to stand still for a while, and for how long.
STOP_CHANCE, STOP_FRAMES = 0.003, (15, 90)
# Chance per frame that somebody is not seen for a while although in view, and for how long.
BLINK_CHANCE, BLINK_FRAMES = 0.003, (2, 15)
# What is seen of a person who is all in view, and of one who is all hidden: chance of a box, and its score.
SEEN_CHANCE, HIDDEN_CHANCE = 0.98, 0.05
SEEN_SCORE, HIDDEN_SCORE, SCORE_SPREAD = 0.9, 0.1, 0.07
# Standard deviation of a box's centre and sides, heights; as much again where half is hidden.
BOX_NOISE = 0.02
# Boxes where nobody is, per person and frame; most have low scores.
FALSE_SHARE = 0.03
# Points across and down a box at which it is looked whether somebody nearer covers it.
GRID = (5, 10)
# Walkers may leave the picture by this share of its sides, and come back.
OUTSIDE_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A crowd to make.

    Attributes:
        name: Of its files.
        people: How many walk there.
        width_px: Of the picture.
        height_px: Of the picture.
        frame_count: Length.
        seed: Of all chance in it.
    """

    name: str
    people: int
    width_px: int
    height_px: int
    frame_count: int
    seed: int


def write_scene(scene: Scene, detections: Path, truth: Path) -> int:
    """Writes a scene as MOTChallenge text.

    Args:
        scene: What to make.
        detections: File for what the detector saw.
        truth: Folder for `seqinfo.ini` and `gt/gt.txt`.

    Returns:
        Number of detections.
    """
    (truth / "gt").mkdir(parents=True)
    (truth / "seqinfo.ini").write_text(
        f"[Sequence]\nname={scene.name}\nframeRate={FRAME_RATE_HZ:.0f}\nseqLength={scene.frame_count}\n"
        f"imWidth={scene.width_px}\nimHeight={scene.height_px}\n"
    )
    seen_rows: list[str] = []
    true_rows: list[str] = []
    for number, (boxes, visibility, seen, scores) in enumerate(make_frames(scene), start=1):
        for person, (left, top, right, bottom) in enumerate(boxes, start=1):
            if not np.isnan(visibility[person - 1]):
                box = f"{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f}"
                true_rows.append(f"{number},{person},{box},1,1,{visibility[person - 1]:.3f}\n")
        for (left, top, right, bottom), score in zip(seen, scores, strict=True):
            box = f"{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f}"
            seen_rows.append(f"{number},-1,{box},{score:.3f},-1,-1,-1\n")
    detections.write_text("".join(seen_rows))
    (truth / "gt" / "gt.txt").write_text("".join(true_rows))
    return len(seen_rows)


def make_frames(scene: Scene) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Makes a scene frame by frame.

    Yields:
        Everybody's box (left, top, right, bottom) [P, 4] and visible share [P], NaN for who is outside of the picture;
        the detector's boxes [N, 4] and scores [N].
    """
    random = np.random.default_rng(scene.seed)
    feet = _random_places(scene, scene.people, random)
    goals = _random_places(scene, scene.people, random)
    paces = np.maximum(random.normal(1.0, SPEED_SPREAD, scene.people), 0.3) * SPEED_HEIGHTS_PER_S / FRAME_RATE_HZ
    statures = random.normal(1.0, 0.06, scene.people)
    steps = np.zeros((scene.people, 2))
    stopped = np.zeros(scene.people, dtype=np.int64)
    blinking = np.zeros(scene.people, dtype=np.int64)
    for _ in range(scene.frame_count):
        heights = statures * np.interp(feet[:, 1], (0.0, scene.height_px), (FAR_HEIGHT_PX, NEAR_HEIGHT_PX))
        stopped = _count_down(stopped, STOP_CHANCE, STOP_FRAMES, random)
        away = goals - feet
        distance = np.linalg.norm(away, axis=1, keepdims=True)
        wish = away / np.maximum(distance, 1e-9) * (paces * heights)[:, None]
        steps += TURN_SHARE * (np.where(stopped[:, None] > 0, 0.0, wish) - steps)
        feet = feet + steps
        has_arrived = distance[:, 0] < heights
        goals[has_arrived] = _random_places(scene, int(has_arrived.sum()), random)
        half = 0.5 * WIDTH_PER_HEIGHT * heights
        boxes = np.stack([feet[:, 0] - half, feet[:, 1] - heights, feet[:, 0] + half, feet[:, 1]], axis=1)
        center = 0.5 * (boxes[:, :2] + boxes[:, 2:])
        is_inside = ((center > 0.0) & (center < (scene.width_px, scene.height_px))).all(axis=1)
        visibility = np.where(is_inside, _visible_share(boxes), np.nan)
        blinking = _count_down(blinking, BLINK_CHANCE, BLINK_FRAMES, random)
        yield (boxes, visibility, *_detect(scene, boxes, visibility, blinking > 0, random))


def _detect(
    scene: Scene, boxes: np.ndarray, visibility: np.ndarray, is_missed: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    count = len(boxes)
    shown = np.nan_to_num(visibility)
    chance = HIDDEN_CHANCE + (SEEN_CHANCE - HIDDEN_CHANCE) * np.sqrt(shown)
    score = HIDDEN_SCORE + (SEEN_SCORE - HIDDEN_SCORE) * shown + random.normal(0.0, SCORE_SPREAD, count)
    heights = boxes[:, 3:] - boxes[:, 1:2]
    noise = random.normal(0.0, BOX_NOISE, (count, 4)) * heights * (3.0 - 2.0 * shown)[:, None]
    is_seen = ~np.isnan(visibility) & ~is_missed & (random.uniform(size=count) < chance)
    found = (boxes + noise)[is_seen]
    false_count = int(random.poisson(FALSE_SHARE * scene.people))
    feet = _random_places(scene, false_count, random)
    tall = random.uniform(0.7, 1.3, false_count) * np.interp(
        feet[:, 1], (0.0, scene.height_px), (FAR_HEIGHT_PX, NEAR_HEIGHT_PX)
    )
    half = 0.5 * WIDTH_PER_HEIGHT * tall
    false = np.stack([feet[:, 0] - half, feet[:, 1] - tall, feet[:, 0] + half, feet[:, 1]], axis=1)
    scores = np.concatenate([score[is_seen], random.beta(2.0, 5.0, false_count)])
    order = random.permutation(len(scores))
    return np.concatenate([found, false])[order], np.clip(scores, 0.02, 1.0)[order]


def _random_places(scene: Scene, count: int, random: np.random.Generator) -> np.ndarray:
    size = np.array([scene.width_px, scene.height_px], dtype=np.float64)
    return random.uniform(-OUTSIDE_SHARE * size, (1.0 + OUTSIDE_SHARE) * size, (count, 2))


def _count_down(left: np.ndarray, chance: float, frames: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    starts = (left == 0) & (random.uniform(size=len(left)) < chance)
    return np.where(starts, random.integers(*frames, size=len(left)), np.maximum(left - 1, 0))


def _visible_share(boxes: np.ndarray) -> np.ndarray:
    across, down = ((np.arange(points) + 0.5) / points for points in GRID)
    share = np.ones(len(boxes))
    for row, box in enumerate(boxes):
        is_near = (boxes[:, 3] > box[3]) & (boxes[:, :2] < box[2:]).all(axis=1) & (boxes[:, 2:] > box[:2]).all(axis=1)
        nearer = boxes[is_near]
        if len(nearer):
            x = box[0] + across * (box[2] - box[0])
            y = box[1] + down * (box[3] - box[1])
            in_x = (x > nearer[:, :1]) & (x < nearer[:, 2:3])
            in_y = (y > nearer[:, 1:2]) & (y < nearer[:, 3:])
            share[row] = 1.0 - (in_x[:, :, None] & in_y[:, None, :]).any(axis=0).mean()
    return share
