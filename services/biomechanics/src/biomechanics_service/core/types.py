"""Values that go into and come out of the motion analysis.

Missing is NaN. Pixels: x right, y down, of the upright picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from biomechanics_service.core.config import MotionConfig
from biomechanics_service.core.errors import InvalidPersonSeriesError
from biomechanics_service.core.landmarks import BLAZEPOSE_COUNT, COCO_COUNT

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def to_single(values: FloatArray) -> FloatArray:
    """Returns values to be kept in 32 bits, of their own: a thousandth of a pixel, and half the memory of a long recording."""
    return np.array(values, np.float32)  # type: ignore[return-value]  what is computed from it is 64 bits again


@dataclass(frozen=True, kw_only=True)
class PersonSeries:
    """What the two pose nets said about one person, frame by frame without holes.

    A frame in which the person was not found is NaN.

    Attributes:
        person_id: Id of the track, positive.
        frame_index: Frames, each one more than the last. [T]
        time_s: Offsets from the start of the recording in seconds, strictly increasing. [T]
        image_size_wh_px: Width and height of the upright picture.
        boxes_xyxy_px: Boxes (left, top, right, bottom). [T, 4]
        coco_px: MoveNet's points (x, y). [T, 17, 2]
        coco_scores: Their scores in [0, 1]. [T, 17]
        blazepose_px: BlazePose's points (x, y). [T, 33, 2]
        blazepose_visibility: Their visibility in [0, 1]. [T, 33]
        blazepose_presence: Presence of the whole pose in [0, 1]. [T]
        blazepose_world_m: BlazePose's metric points: metres, origin between the hips, x right, y down, z away from the
            camera. [T, 33, 3]
    """

    person_id: int
    frame_index: IntArray
    time_s: FloatArray
    image_size_wh_px: tuple[float, float]
    boxes_xyxy_px: FloatArray
    coco_px: FloatArray
    coco_scores: FloatArray
    blazepose_px: FloatArray
    blazepose_visibility: FloatArray
    blazepose_presence: FloatArray
    blazepose_world_m: FloatArray

    def __post_init__(self) -> None:
        """Checks that the arrays fit together and time moves on."""
        count = len(self.frame_index)
        expected = {
            "time_s": (count,),
            "boxes_xyxy_px": (count, 4),
            "coco_px": (count, COCO_COUNT, 2),
            "coco_scores": (count, COCO_COUNT),
            "blazepose_px": (count, BLAZEPOSE_COUNT, 2),
            "blazepose_visibility": (count, BLAZEPOSE_COUNT),
            "blazepose_presence": (count,),
            "blazepose_world_m": (count, BLAZEPOSE_COUNT, 3),
        }
        for name, shape in expected.items():
            actual = getattr(self, name).shape
            if actual != shape:
                raise InvalidPersonSeriesError(
                    f"{name} of person {self.person_id} must be {shape}, is {actual}",
                    metadata={"person_id": str(self.person_id), "field": name},
                )
        is_ordered = bool(np.all(np.diff(self.frame_index) == 1) and np.all(np.diff(self.time_s) > 0))
        if count == 0 or not is_ordered or not np.isfinite(self.time_s).all():
            raise InvalidPersonSeriesError(
                f"frames of person {self.person_id} must follow each other and times must grow",
                metadata={"person_id": str(self.person_id), "field": "frame_index, time_s"},
            )

    def track(self) -> PersonTrack:
        """Returns where and when the person was, without what the nets said: that is a tenth of it."""
        return PersonTrack(
            person_id=self.person_id,
            frame_index=self.frame_index,
            time_s=self.time_s,
            boxes_xyxy_px=self.boxes_xyxy_px,
        )


@dataclass(frozen=True, kw_only=True)
class PersonTrack:
    """Where and when a person was seen; attributes as those of `PersonSeries`."""

    person_id: int
    frame_index: IntArray
    time_s: FloatArray
    boxes_xyxy_px: FloatArray


class View(StrEnum):
    """From where the camera sees the body in a frame."""

    SIDE = "side"
    FRONT = "front"
    BETWEEN = "between"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class AngleSeries:
    """One angle of one person over time, degrees.

    Attributes:
        name: Name after OpenSim's coordinate; `_3d` at the end where the depth that BlazePose estimates goes in.
        raw_deg: Before any low-pass. [T]
        filtered_deg: After the zero-lag filter. [T]
        velocity_deg_s: Change of the filtered angle per second. [T]
        confidence: In [0, 1]; 0 where the angle is missing. [T]
        range_deg: Range of motion: 98th less 2nd percentile of the filtered angle where the confidence is above a
            half; NaN if that is under ten frames.
        missing_reason: Why the angle was not measured at all, in plain words; empty where it was.
    """

    name: str
    raw_deg: FloatArray
    filtered_deg: FloatArray
    velocity_deg_s: FloatArray
    confidence: FloatArray
    range_deg: float
    missing_reason: str


@dataclass(frozen=True, kw_only=True)
class GaitEvents:
    """Steps of a person who walks or runs across the view.

    Attributes:
        strike_frames: Frames of the foot's first contact, by side ("left", "right"); indices into the video.
        off_frames: Frames of the foot's last contact.
        cadence_steps_per_min: Steps per minute; NaN where not measured.
        missing_reason: Why it was not measured; empty where it was.
    """

    strike_frames: Mapping[str, IntArray]
    off_frames: Mapping[str, IntArray]
    cadence_steps_per_min: float
    missing_reason: str


@dataclass(frozen=True, kw_only=True)
class PersonMotion:
    """What was measured about one person.

    Attributes:
        person_id: Id of the track.
        frame_index: Frames. [T]
        time_s: Offsets in seconds. [T]
        boxes_xyxy_px: Boxes, NaN where not found. [T, 4]
        points_px: Merged points in the order of `landmarks.POINT_NAMES`, sides repaired, short gaps filled. [T, 21, 2]
        points_filtered_px: The same after the zero-lag filter. [T, 21, 2]
        point_confidence: Confidence of the points in [0, 1], 0 where missing. [T, 21]
        markers_m: BlazePose's 33 points in metres: x right, y up, z towards the camera; x and y placed in the
            picture's plane at the person's distance, 0 at
            the lowest point of the recording; depth is relative to the hips. Filtered. [T, 33, 3]
        metres_per_px: Scale at the person's distance; NaN where unknown.
        is_scale_given: True where the scale comes from a given height, False where BlazePose estimated it.
        views: From where the camera sees the body. [T]
        facing: +1 where the body faces the picture's right, -1 left, 0 where unknown. [T]
        angles: Angles by name.
        swapped_frame_count: Frames in which a net's left and right were exchanged, by net and limb.
        symmetry_percent: Difference of the right and left range of motion over their mean, percent, by joint;
            positive: the right one is larger.
        gait: Steps.
        notes: What a reader should know, in plain words.
    """

    person_id: int
    frame_index: IntArray
    time_s: FloatArray
    boxes_xyxy_px: FloatArray
    points_px: FloatArray
    points_filtered_px: FloatArray
    point_confidence: FloatArray
    markers_m: FloatArray
    metres_per_px: float
    is_scale_given: bool
    views: tuple[View, ...]
    facing: FloatArray
    angles: Mapping[str, AngleSeries]
    swapped_frame_count: Mapping[str, int]
    symmetry_percent: Mapping[str, float]
    gait: GaitEvents
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MotionAnalysis:
    """The result for a recording.

    Attributes:
        persons: Persons in order of id.
        skipped: Why persons were left out, by id.
        config: Parameters it was made with.
    """

    persons: tuple[PersonMotion, ...]
    skipped: Mapping[int, str]
    config: MotionConfig
