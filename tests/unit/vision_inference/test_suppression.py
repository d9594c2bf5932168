"""One body, one observation."""

from __future__ import annotations

import numpy as np
import pytest

from vision_inference_service.core.suppression import suppress_duplicates, suppress_overlapping_objects
from vision_inference_service.core.types import ObjectObservation, PersonCandidate

LIMITS = {"max_overlap": 0.65, "min_keypoint_score": 0.2, "max_distance": 0.1}


def person(
    box: tuple[float, ...], *, score: float, keypoints_at: tuple[float, float] = (0, 0), keypoint_score: float = 0.9
) -> PersonCandidate:
    along = np.linspace(0, 100, 17)
    keypoints = np.stack([along + keypoints_at[0], along + keypoints_at[1], np.full(17, keypoint_score)], axis=1)
    return PersonCandidate(box_px=np.array(box, np.float32), score=score, keypoints_px=keypoints.astype(np.float32))


def kept(*candidates: PersonCandidate) -> list[float]:
    return [candidate.score for candidate in suppress_duplicates(candidates, **LIMITS)]


def test_boxes_that_nearly_coincide_are_one_body_the_better_one() -> None:
    assert kept(person((0, 0, 100, 200), score=0.4), person((5, 0, 105, 200), score=0.6, keypoints_at=(500, 0))) == [
        0.6
    ]


def test_a_ghost_on_half_a_body_is_known_by_its_keypoints() -> None:
    whole, half = (0, 0, 100, 200), (0, 0, 100, 90)
    assert kept(person(whole, score=0.6), person(half, score=0.4, keypoints_at=(2, 2))) == [0.6]
    assert kept(person(whole, score=0.6), person(half, score=0.4, keypoints_at=(40, 40))) == [0.6, 0.4]


def test_keypoints_that_are_not_seen_prove_nothing() -> None:
    unseen = person((0, 0, 100, 90), score=0.4, keypoint_score=0.1)
    assert kept(person((0, 0, 100, 200), score=0.6), unseen) == [0.6, 0.4]


def test_two_people_side_by_side_stay_two() -> None:
    assert kept(person((0, 0, 100, 200), score=0.6), person((50, 0, 150, 200), score=0.5, keypoints_at=(50, 0))) == [
        0.6,
        0.5,
    ]


@pytest.mark.parametrize(("second_class", "expected"), [(5, [0.9]), (7, [0.9, 0.8])])
def test_objects_of_one_class_do_not_overlap(second_class: int, expected: list[float]) -> None:
    def thing(box: tuple[float, ...], score: float, class_index: int) -> ObjectObservation:
        return ObjectObservation(box_px=np.array(box, np.float32), score=score, label="thing", class_index=class_index)

    objects = [thing((0, 0, 10, 9), 0.8, second_class), thing((0, 0, 10, 10), 0.9, 5)]
    assert [item.score for item in suppress_overlapping_objects(objects, max_overlap=0.6)] == expected
