"""One body, one observation: leaves out answers that mean a person or an object already there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vision_inference_service.core.geometry import box_size, intersection_over_union
from vision_inference_service.core.types import FloatArray, ObjectObservation, PersonCandidate


def is_same_body(
    first: PersonCandidate,
    second: PersonCandidate,
    *,
    max_overlap: float,
    min_keypoint_score: float,
    max_distance: float,
) -> bool:
    """Whether two answers lie on one body.

    Boxes alone do not tell: two people who hug share a box, and a ghost on half a body has a smaller one. So two
        answers are one body when their boxes
    nearly coincide, or when the keypoints that both see lie on each other.

    Args:
        first: One answer.
        second: Another answer.
        max_overlap: Intersection over union, 0..1, above which the boxes coincide.
        min_keypoint_score: A keypoint counts from this score on.
        max_distance: Median distance of common keypoints, as a share of the smaller body's larger side, below which
            they lie on each other.
    """
    overlap = float(intersection_over_union(first.box_px[None], second.box_px[None])[0, 0])
    if overlap > max_overlap:
        return True
    common = np.minimum(first.keypoints_px[:, 2], second.keypoints_px[:, 2]) >= min_keypoint_score
    if np.count_nonzero(common) < _MIN_COMMON_KEYPOINTS:
        return False
    distances = np.linalg.norm(first.keypoints_px[common, :2] - second.keypoints_px[common, :2], axis=1)
    side = min(float(box_size(first.box_px).max()), float(box_size(second.box_px).max()))
    return float(np.median(distances)) < max_distance * side


_MIN_COMMON_KEYPOINTS = 4
"""Fewer common keypoints may coincide where two people merely touch."""


def suppress_duplicates(
    candidates: Sequence[PersonCandidate], *, max_overlap: float, min_keypoint_score: float, max_distance: float
) -> list[PersonCandidate]:
    """Keeps the best answer for each body.

    Args:
        candidates: Answers in any order.
        max_overlap: As in `is_same_body`.
        min_keypoint_score: As in `is_same_body`.
        max_distance: As in `is_same_body`.

    Returns:
        The kept answers, best first; of equals the first given.
    """
    kept: list[PersonCandidate] = []
    for candidate in sorted(candidates, key=lambda answer: -answer.score):
        if not any(
            is_same_body(
                candidate,
                other,
                max_overlap=max_overlap,
                min_keypoint_score=min_keypoint_score,
                max_distance=max_distance,
            )
            for other in kept
        ):
            kept.append(candidate)
    return kept


def suppress_overlapping_objects(
    objects: Sequence[ObjectObservation], *, max_overlap: float
) -> list[ObjectObservation]:
    """Keeps the best of one class's boxes that overlap (intersection over union) by more; best first."""
    kept: list[ObjectObservation] = []
    for candidate in sorted(objects, key=lambda answer: -answer.score):
        rivals = [other.box_px for other in kept if other.class_index == candidate.class_index]
        if not rivals or _largest_overlap(candidate.box_px, rivals) <= max_overlap:
            kept.append(candidate)
    return kept


def _largest_overlap(box: FloatArray, others: Sequence[FloatArray]) -> float:
    return float(intersection_over_union(box[None], np.stack(list(others))).max())
