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
from vision_inference_service.core.types import FloatArray, PersonCandidate

POSE_CROP_SIZE_PX = 256
"""Side of the landmark net's input."""

_LEFT_SHOULDER, _RIGHT_SHOULDER, _LEFT_HIP, _RIGHT_HIP = 5, 6, 11, 12


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
    """Whether a region that the search missed is looked at now: in every frame at first, then patiently."""
    return region.miss_count < zoom.eager_miss_count or region.miss_count % zoom.patient_interval == 0


def zoom_window(box: FloatArray, zoom: ZoomParameters, *, scale: float, rotation_rad: float) -> CropWindow:
    """The square that is looked at closer: around a box (4,), `scale` times as long as its longer side."""
    center = box_center(box)
    return CropWindow(
        center_x_px=float(center[0]),
        center_y_px=float(center[1]),
        side_px=max(float(box_size(box).max()) * scale, float(zoom.size_px) / 4),
        size_px=zoom.size_px,
        rotation_rad=rotation_rad,
    )


def pose_window(box: FloatArray, keypoints: FloatArray | None, parameters: ObserverParameters) -> CropWindow:
    """The landmark net's square for one person.

    Args:
        box: (4,) the person's box.
        keypoints: (17, 3) the person's keypoints, or None where only the box is known.
        parameters: `crop_scale`, `keypoint_score` and `upright_limit_rad` are used.
    """
    extent, rotation_rad = box, 0.0
    if keypoints is not None:
        seen = keypoints[keypoints[:, 2] >= parameters.keypoint_score, :2]
        extent = box_around(np.concatenate([box.reshape(2, 2), seen]))
        lean_rad = trunk_lean(keypoints, min_score=parameters.keypoint_score)
        rotation_rad = lean_rad if abs(lean_rad) > parameters.upright_limit_rad else 0.0
    center = box_center(extent)
    return CropWindow(
        center_x_px=float(center[0]),
        center_y_px=float(center[1]),
        side_px=max(float(box_size(extent).max()) * parameters.crop_scale, 1.0),
        size_px=POSE_CROP_SIZE_PX,
        rotation_rad=rotation_rad,
    )


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
