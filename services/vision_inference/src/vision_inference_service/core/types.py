"""What one frame shows, as frozen values.

Everything in pixels is in the upright source frame: origin at the outer corner of the top left pixel, x right, y down,
so the centre of the first pixel is (0.5, 0.5) and a box that covers the whole picture is (0, 0, width, height). Missing
numbers are NaN, never 0.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
ImageArray = NDArray[np.uint8]

KEYPOINT_COUNT = 17
"""Keypoints of a COCO person: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left before right."""

LANDMARK_COUNT = 33
"""Landmarks of a BlazePose person, in the order of its model card."""


class PersonSource(enum.Enum):
    """How a person was found in this frame."""

    SEARCH = "search"
    """By the search over the whole frame."""
    ZOOM = "zoom"
    """By a closer look at the region where the memory expected the person; the whole-frame search missed or nearly
    missed it."""
    CARRIED = "carried"
    """By the landmark net alone, on the expected region; there are no keypoints of the first net to compare with."""


def _require_shape(name: str, array: FloatArray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, but has {array.shape}")


@dataclass(frozen=True, kw_only=True, eq=False)
class PersonObservation:
    """One person in one frame. Nothing here says who it is: identity is tracking's.

    Attributes:
        box_px: (4,) x_min, y_min, x_max, y_max in source pixels.
        score: Confidence of the person detector, 0..1; of the landmark net for `CARRIED`.
        keypoints_px: (17, 3) x, y in source pixels and the keypoint's score 0..1; x and y NaN and score 0 where there
            is none.
        landmarks_px: (33, 5) x, y in source pixels, z in pixels of the same scale (hip-relative, smaller is nearer),
            visibility 0..1, presence 0..1; all NaN when the landmark net was not run.
        world_landmarks_m: (33, 3) metres from the middle of the hips as the net estimates them, axes x right, y down, z
            away from the camera.
        pose_presence: How sure the landmark net is that its crop shows a person, 0..1. It stays near 1 for wrong poses:
            a veto, not a confidence. NaN when not run.
        source: How the person was found.
    """

    box_px: FloatArray
    score: float
    keypoints_px: FloatArray
    landmarks_px: FloatArray
    world_landmarks_m: FloatArray
    pose_presence: float
    source: PersonSource

    def __post_init__(self) -> None:
        """Refuses arrays of another shape."""
        _require_shape("box_px", self.box_px, (4,))
        _require_shape("keypoints_px", self.keypoints_px, (KEYPOINT_COUNT, 3))
        _require_shape("landmarks_px", self.landmarks_px, (LANDMARK_COUNT, 5))
        _require_shape("world_landmarks_m", self.world_landmarks_m, (LANDMARK_COUNT, 3))


@dataclass(frozen=True, kw_only=True, eq=False)
class FrameObservation:
    """Everybody who is seen in one frame.

    Attributes:
        frame_index: Index of the frame in its video, from 0.
        offset_s: Media time of the frame in seconds from the first frame's.
        persons: The people, best score first.
        may_be_incomplete: The detector returned as many people as it can at most, so there may be more.
        was_searched: Whether the whole frame was searched; if not, only people who were known are here.
    """

    frame_index: int
    offset_s: float
    persons: tuple[PersonObservation, ...]
    may_be_incomplete: bool
    was_searched: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class PersonCandidate:
    """One answer of the person detector, before anything is decided about it.

    Attributes:
        box_px: (4,) x_min, y_min, x_max, y_max in source pixels.
        score: Confidence, 0..1.
        keypoints_px: (17, 3) x, y, score.
    """

    box_px: FloatArray
    score: float
    keypoints_px: FloatArray


@dataclass(frozen=True, kw_only=True)
class BodyCircle:
    """The circle around the hips that holds a whole body, and where its head is: what the landmark net wants to see.

    Attributes:
        center_x_px: Middle of the hips.
        center_y_px: Middle of the hips.
        radius_px: Greater than 0.
        lean_rad: By how much the body leans clockwise from upright.
    """

    center_x_px: float
    center_y_px: float
    radius_px: float
    lean_rad: float


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseEstimate:
    """One answer of the landmark net, in source pixels.

    Attributes:
        landmarks_px: (33, 5) x, y, z, visibility, presence.
        world_landmarks_m: (33, 3) metres, turned back to the upright frame.
        pose_presence: 0..1.
        circle: Where the net would look in the next frame.
    """

    landmarks_px: FloatArray
    world_landmarks_m: FloatArray
    pose_presence: float
    circle: BodyCircle


@dataclass(frozen=True, kw_only=True, eq=False)
class ObjectObservation:
    """One everyday object in a picture.

    Attributes:
        box_px: (4,) x_min, y_min, x_max, y_max in source pixels.
        score: Confidence, 0..1.
        label: COCO's English name of the class, as in `person`.
        class_index: COCO class, 0..79.
    """

    box_px: FloatArray
    score: float
    label: str
    class_index: int


@dataclass(frozen=True, kw_only=True)
class ModelEntry:
    """A model as the registry knows it.

    Attributes:
        name: Its name.
        versions: Its versions in service.
        is_ready: Whether it answers.
        licence: Its licence, as its card states it.
        card: Its card, in Markdown.
    """

    name: str
    versions: Sequence[str]
    is_ready: bool
    licence: str
    card: str
