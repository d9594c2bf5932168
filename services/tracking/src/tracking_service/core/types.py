"""Values that go into and come out of a tracker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class TrackedDetections:
    """The identities of one frame, in order of id.

    Attributes:
        frame_index: The frame.
        ids: Track of each row, positive, unique within the stream. [M]
        detection_index: Row of the detection that was matched, in the order in which the detections were given. [M]
        boxes_xyxy_px: Box after the motion filter: left, top, right, bottom in pixels. [M, 4]
        scores: Score of the detection. [M]
    """

    frame_index: int
    ids: IntArray
    detection_index: IntArray
    boxes_xyxy_px: FloatArray
    scores: FloatArray


@dataclass(frozen=True, kw_only=True)
class TrackerSnapshot:
    """A tracker's whole state as plain arrays; a tracker restored from it goes on as if it had never stopped.

    Attributes:
        kind: Name of the algorithm that wrote it.
        version: Layout of the arrays.
        frame_index: Last frame that was given, -1 before the first.
        next_id: Id of the next track.
        filters: Kalman states. [N, 5, 4]
        lives: Life of each track. [N, 5]
        last_boxes_px: Last detected box of each track. [N, 4]
    """

    kind: str
    version: int
    frame_index: int
    next_id: int
    filters: FloatArray
    lives: IntArray
    last_boxes_px: FloatArray
