"""Which answer belongs to which remembered region, and where to look closer. Pure functions over boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from vision_inference_service.core.geometry import (
    CropWindow,
    box_around,
    box_center,
    box_size,
    intersection_over_union,
)
from vision_inference_service.core.memory import Region
from vision_inference_service.core.parameters import ObserverParameters, ZoomParameters
from vision_inference_service.core.types import BodyCircle, FloatArray, PersonCandidate

# Frame times are rounded: three frames of a thirtieth of a second are a tenth.
_TIME_SLACK_S = 1e-6
POSE_CROP_SIZE_PX = 256
"""Side of the landmark net's input."""

_LEFT_SHOULDER, _RIGHT_SHOULDER, _LEFT_HIP, _RIGHT_HIP = 5, 6, 11, 12
_BOX_MARGIN_DIVISOR = 16.0


def affinity(expected: FloatArray, boxes: FloatArray, *, min_overlap: float, max_distance: float) -> FloatArray:
    """How well boxes agree with expected ones: overlap plus nearness of the centres, and 0 where neither suffices.

    Args:
        expected: (R, 4).
        boxes: (C, 4).
        min_overlap: Intersection over union that suffices.
        max_distance: Distance of the centres that suffices, as a share of the expected box's longer side.

    Returns:
        (R, C) 0..2.
    """
    overlap = intersection_over_union(expected, boxes)  # [R, C]
    side = np.maximum(box_size(expected).max(axis=-1), 1.0)[:, None]  # [R, 1]
    distance = np.linalg.norm(box_center(expected)[:, None] - box_center(boxes)[None], axis=-1) / side  # [R, C]
    is_near = (overlap >= min_overlap) | (distance <= max_distance)
    return np.asarray(np.where(is_near, overlap + np.maximum(0.0, 1.0 - distance), 0.0), np.float32)


def match_regions(
    expected: Sequence[FloatArray], candidates: Sequence[PersonCandidate], parameters: ObserverParameters
) -> dict[int, int]:
    """Assigns answers to regions so that the sum of the affinities is largest.

    Args:
        expected: Per region the box (4,) expected now.
        candidates: The answers.
        parameters: `region_match_overlap` and `region_match_distance` are used.

    Returns:
        Index of the answer by index of the region; regions and answers without a partner are not in it.
    """
    if not expected or not candidates:
        return {}
    scores = affinity(
        np.stack(list(expected)),
        np.stack([candidate.box_px for candidate in candidates]),
        min_overlap=parameters.region_match_overlap,
        max_distance=parameters.region_match_distance,
    )
    rows, columns = linear_sum_assignment(-scores)
    return {int(row): int(column) for row, column in zip(rows, columns, strict=True) if scores[row, column] > 0.0}


def is_zoom_due(region: Region, zoom: ZoomParameters) -> bool:
    """Whether a region where nobody at all was seen is looked at now: in every frame at first, then patiently."""
    return region.miss_count < zoom.eager_miss_count or region.miss_count % zoom.patient_interval == 0


def is_proof_due(region: Region, zoom: ZoomParameters, *, offset_s: float) -> bool:
    """Whether a person who is seen weakly, or followed by landmarks alone, must be proved by a closer look again."""
    return offset_s - max(region.evidence_offset_s, region.zoomed_offset_s) >= zoom.proof_interval_s - _TIME_SLACK_S


def zoom_window(box: FloatArray, zoom: ZoomParameters, *, scale: float, rotation_rad: float) -> CropWindow:
    """The square that is looked at closer: around a box (4,), `scale` times as long as its longer side."""
    center = box_center(box)
    return CropWindow.square(
        center_x_px=float(center[0]),
        center_y_px=float(center[1]),
        side_px=max(float(box_size(box).max()) * scale, float(zoom.size_px) / 4),
        size_px=zoom.size_px,
        rotation_rad=rotation_rad,
    )


def pose_window(box: FloatArray, keypoints: FloatArray, parameters: ObserverParameters) -> CropWindow:
    """The landmark net's square for a person whom the detector found.

    Args:
        box: (4,) the person's box.
        keypoints: (17, 3) the person's keypoints.
        parameters: `crop_scale`, `keypoint_score` and `upright_limit_rad` are used.
    """
    seen = keypoints[keypoints[:, 2] >= parameters.keypoint_score, :2]
    extent = box_around(np.concatenate([box.reshape(2, 2), seen]))
    lean_rad = trunk_lean(keypoints, min_score=parameters.keypoint_score)
    center = box_center(extent)
    return CropWindow.square(
        center_x_px=float(center[0]),
        center_y_px=float(center[1]),
        side_px=max(float(box_size(extent).max()) * parameters.crop_scale, 1.0),
        size_px=POSE_CROP_SIZE_PX,
        rotation_rad=lean_rad if abs(lean_rad) > parameters.upright_limit_rad else 0.0,
    )


def follow_window(circle: BodyCircle, parameters: ObserverParameters) -> CropWindow:
    """The landmark net's square for a person whom only the net itself saw in the frame before.

    Args:
        circle: The body's circle as expected now.
        parameters: `crop_scale` is used.
    """
    return CropWindow.square(
        center_x_px=circle.center_x_px,
        center_y_px=circle.center_y_px,
        side_px=max(2.0 * circle.radius_px * parameters.crop_scale, 1.0),
        size_px=POSE_CROP_SIZE_PX,
        rotation_rad=circle.lean_rad,
    )


def circle_around(box: FloatArray) -> BodyCircle:
    """The circle of somebody who stands upright in a box (4,), where no landmarks have told it yet."""
    center = box_center(box)
    return BodyCircle(
        center_x_px=float(center[0]),
        center_y_px=float(center[1]),
        radius_px=max(float(box_size(box).max()) / 2.0, 1.0),
        lean_rad=0.0,
    )


def body_box(landmarks: FloatArray) -> FloatArray:
    """A person's box (4,) by landmarks (33, >= 2), as large as the detector would draw it.

    Landmarks lie inside the body; the detector's boxes go beyond head and shoes by a sixteenth of their length.
    """
    box = box_around(landmarks[:, :2])
    margin = float(box_size(box).max()) / _BOX_MARGIN_DIVISOR
    return np.asarray(box + np.array([-margin, -margin, margin, margin]), np.float32)


def trunk_lean(keypoints: FloatArray, *, min_score: float) -> float:
    """By how much the trunk leans clockwise from upright, in (-pi, pi]; 0 when a shoulder or a hip is not seen.

    Args:
        keypoints: (17, 3) x, y, score.
        min_score: A keypoint counts from this score on.
    """
    needed = keypoints[[_LEFT_SHOULDER, _RIGHT_SHOULDER, _LEFT_HIP, _RIGHT_HIP]]
    if needed[:, 2].min() < min_score:
        return 0.0
    right, down = needed[:2, :2].mean(axis=0) - needed[2:, :2].mean(axis=0)
    return math.atan2(float(right), float(-down))
