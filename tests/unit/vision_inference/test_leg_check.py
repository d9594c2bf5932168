"""A second opinion, in the mirror, on legs of which one hides the other."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from praxiscope.vision.v1 import vision_service_pb2
from vision_inference_service.api.convert import parameters_from
from vision_inference_service.core.decoding import mirror_persons
from vision_inference_service.core.leg_check import leg_window
from vision_inference_service.core.memory import RegionMemory
from vision_inference_service.core.observer import PersonObserver
from vision_inference_service.core.parameters import LegParameters, ObserverParameters
from vision_inference_service.core.types import FrameObservation, PersonSource

Make = Callable[..., Any]
LEFT_LEG, RIGHT_LEG = [13, 15], [14, 16]
HIDDEN_LOGIT = -1.0


class HidingModels:
    """The fake nets, but the landmark net sees little of one leg, and a closer look sees the legs elsewhere."""

    def __init__(self, models: Any, *, hidden_logit: float = HIDDEN_LOGIT, closer_score: float = 0.8) -> None:
        self._models = models
        self._hidden_logit = hidden_logit
        self._closer_score = closer_score

    @property
    def zoom_count(self) -> int:
        return self._models.zoom_count

    async def detect_persons(self, image_rgb: np.ndarray) -> np.ndarray:
        rows = await self._models.detect_persons(image_rgb)
        if max(image_rgb.shape) < 384:  # no search
            # The fake crop does not know that it was mirrored; its answer is turned into one that does.
            rows = mirror_persons(rows)
            keypoints = rows[0, :51].reshape(17, 3)
            keypoints[LEFT_LEG + RIGHT_LEG, 2] = self._closer_score
        return rows

    async def estimate_landmarks(self, crops_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        landmarks, world, presence = await self._models.estimate_landmarks(crops_rgb)
        landmarks[:, [25, 27], 3] = self._hidden_logit
        return landmarks, world, presence


@pytest.fixture
def observe(make_frame: Make, make_models: Make, make_body: Make) -> Callable[..., tuple[FrameObservation, Any, Any]]:
    """Observes one frame with somebody in the middle, of whom something is known already."""

    def run(*, score: float = 0.4, legs: bool = True, **nets: float) -> tuple[FrameObservation, Any, Any]:
        parameters = ObserverParameters()
        parameters = parameters if legs else replace(parameters, legs=None)
        memory = RegionMemory()
        for index, strength in enumerate((0.6, score)):
            frame = make_frame(frame_index=index, offset_s=index / 30)
            models = HidingModels(make_models(frame, [make_body(500, 250, score=strength)]), **nets)
            observation, memory = asyncio.run(PersonObserver(models, parameters).observe(frame, memory))
        return observation, memory, models

    return run


def test_an_answer_in_the_mirror_is_turned_back() -> None:
    rows = np.random.default_rng(1).uniform(size=(6, 56)).astype(np.float32)
    turned = mirror_persons(rows)
    np.testing.assert_allclose(mirror_persons(turned), rows, atol=1e-6)
    before, after = rows[:, :51].reshape(6, 17, 3), turned[:, :51].reshape(6, 17, 3)
    np.testing.assert_allclose(after[:, 0, 1], 1 - before[:, 0, 1])  # the nose stays the nose
    np.testing.assert_allclose(after[:, 13], before[:, 14] * [1, -1, 1] + [0, 1, 0])  # a left knee was a right one
    np.testing.assert_allclose(turned[:, [52, 54]], 1 - rows[:, [54, 52]])
    np.testing.assert_allclose(turned[:, [51, 53, 55]], rows[:, [51, 53, 55]])


def test_legs_that_hide_each_other_are_looked_at_closer_and_nothing_else_changes(observe: Make) -> None:
    plain, plain_memory, plain_models = observe(legs=False)
    checked, memory, models = observe()
    assert (plain_models.zoom_count, models.zoom_count) == (0, 1)
    (before,), (after,) = plain.persons, checked.persons
    assert after.keypoints_px[LEFT_LEG + RIGHT_LEG, 2] == pytest.approx(0.8)
    assert before.keypoints_px[LEFT_LEG + RIGHT_LEG, 2] == pytest.approx(0.4)
    np.testing.assert_allclose(after.keypoints_px[:, :2], before.keypoints_px[:, :2], atol=1.5)
    np.testing.assert_array_equal(after.box_px, before.box_px)
    assert (after.score, after.source) == (before.score, before.source)
    np.testing.assert_array_equal(memory.to_array(), plain_memory.to_array())


def test_whoever_is_only_followed_gets_keypoints_and_stays_followed(observe: Make) -> None:
    observation, _, models = observe(score=0.01)
    (person,) = observation.persons
    assert models.zoom_count == 1
    assert person.source is PersonSource.CARRIED
    assert np.isfinite(person.keypoints_px).all()


@pytest.mark.parametrize(
    "nets",
    [
        {"hidden_logit": 4.0},  # both legs are seen by the landmark net
        {"score": 0.7},  # both are seen by the detector
    ],
)
def test_legs_that_are_seen_are_not_looked_at_again(observe: Make, nets: dict[str, float]) -> None:
    assert observe(**nets)[2].zoom_count == 0


def test_a_closer_look_that_sees_less_is_not_taken(observe: Make) -> None:
    observation, _, models = observe(closer_score=0.2)
    assert models.zoom_count == 1
    assert observation.persons[0].keypoints_px[LEFT_LEG, 2] == pytest.approx(0.4)


def test_whoever_wants_it_fast_does_without() -> None:
    assert parameters_from(vision_service_pb2.ObservationConfig()).legs is not None
    assert parameters_from(vision_service_pb2.ObservationConfig(search_interval_frames=2)).legs is None


@pytest.mark.parametrize(
    ("box", "rotation_rad", "size_px"),
    [
        pytest.param((0, 0, 100, 400), 0.0, (96, 224), id="stands"),
        pytest.param((0, 0, 180, 400), 0.0, (128, 224), id="stands with arms spread"),
        pytest.param((0, 0, 400, 100), 0.0, (256, 96), id="box lies"),
        pytest.param((0, 0, 400, 100), math.pi / 2, (96, 224), id="lies, seen along the body"),
        pytest.param((0, 0, 400, 100), -math.pi / 2, (96, 224), id="lies the other way"),
        pytest.param((0, 0, 4, 8), 0.0, (96, 96), id="a few pixels"),
    ],
)
def test_what_is_looked_at_is_as_wide_as_the_body(
    box: tuple[float, ...], rotation_rad: float, size_px: tuple[int, int]
) -> None:
    window = leg_window(np.array(box, np.float32), LegParameters(), rotation_rad=rotation_rad)
    assert (window.width_px, window.height_px) == size_px
    corners = window.to_source(np.array([[0, 0], [1, 1]], np.float32) * window.size_px)
    assert np.all(corners.min(axis=0) <= box[:2])
    assert np.all(corners.max(axis=0) >= box[2:])
    np.testing.assert_allclose(corners.mean(axis=0), [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], atol=1e-3)
