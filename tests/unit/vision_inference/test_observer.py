"""Finding everybody, with a memory of where they were."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np
import pytest

from vision_inference_service.core.memory import RegionMemory
from vision_inference_service.core.observer import FrameSearch, FrameSight, PersonObserver
from vision_inference_service.core.parameters import ObserverParameters
from vision_inference_service.core.ports import FramePixels
from vision_inference_service.core.types import FrameObservation, PersonSource

Make = Callable[..., Any]
RATE_HZ = 30.0
PROOF_FRAMES = round(ObserverParameters().zoom.proof_interval_s * RATE_HZ)


class Play:
    """Observes one scripted frame after another, with the default parameters unless told."""

    def __init__(self, make_frame: Make, make_models: Make, parameters: ObserverParameters) -> None:
        self._make_frame = make_frame
        self._make_models = make_models
        self._parameters = parameters
        self._index = 0
        self.memory = RegionMemory()
        self.models: list[Any] = []

    def show(self, *bodies: object) -> FrameObservation:
        frame = self._make_frame(frame_index=self._index, offset_s=self._index / RATE_HZ)
        models = self._make_models(frame, bodies)
        observer = PersonObserver(models, self._parameters)
        observation, self.memory = asyncio.run(observer.observe(frame, self.memory))
        self.models.append(models)
        self._index += 1
        return observation


@pytest.fixture
def play(make_frame: Make, make_models: Make) -> Play:
    return Play(make_frame, make_models, ObserverParameters())


def sources(observation: FrameObservation) -> list[PersonSource]:
    return [person.source for person in observation.persons]


def test_nobody_is_an_empty_observation(play: Play) -> None:
    observation = play.show()
    assert observation.persons == ()
    assert not observation.may_be_incomplete
    assert play.memory.regions == ()
    assert play.models[0].crop_count == 0


def test_two_people_are_found_best_first_with_boxes_in_source_pixels(play: Play, make_body: Make) -> None:
    left, right = make_body(200, 250, score=0.5), make_body(800, 260, score=0.7)
    observation = play.show(left, right)
    assert [person.score for person in observation.persons] == pytest.approx([0.7, 0.5])
    np.testing.assert_allclose(observation.persons[0].box_px, right.box(), atol=0.1)
    np.testing.assert_allclose(observation.persons[1].box_px, left.box(), atol=0.1)
    assert all(np.isfinite(person.landmarks_px).all() for person in observation.persons)
    np.testing.assert_allclose(observation.persons[0].landmarks_px[0, :2], right.box()[:2], atol=0.2)


def test_while_nobody_is_missed_nothing_is_looked_at_twice(play: Play, make_body: Make) -> None:
    for step in range(10):
        play.show(make_body(200 + 5 * step, 250), make_body(800, 250))
    assert sum(models.zoom_count for models in play.models) == 0
    assert all(models.search_count == 1 and models.crop_count == 2 for models in play.models)


def test_whom_the_search_misses_the_landmarks_follow_and_a_look_proves_him_now_and_then(
    play: Play, make_body: Make
) -> None:
    for step in range(5):
        play.show(make_body(300 + 20 * step, 250))
    found = [play.show(make_body(400 + 20 * step, 250, score=0.0)) for step in range(12)]
    carried, zoom = PersonSource.CARRIED, PersonSource.ZOOM
    assert PROOF_FRAMES == 6
    assert [sources(observation) for observation in found] == ([[carried]] * 5 + [[zoom]]) * 2
    assert [models.zoom_count for models in play.models[5:]] == [0, 0, 0, 0, 0, 1] * 2
    np.testing.assert_allclose(found[5].persons[0].box_px, make_body(500, 250).box(), atol=0.5)
    assert play.models[5]._frame.views[0].center_x_px == pytest.approx(400, abs=8)


def test_who_turns_over_is_found_in_a_turned_view_where_the_landmarks_fail(play: Play, make_body: Make) -> None:
    play.show(make_body(300, 250, upright_rad=math.pi / 4 + 0.05))
    turned = make_body(300, 250, score=0.0, upright_rad=math.pi / 2, presence=0.0)
    observation = play.show(turned)
    assert sources(observation) == [PersonSource.ZOOM]
    np.testing.assert_allclose(observation.persons[0].box_px, turned.box(), atol=11)  # the turn is not quite his
    assert play.models[-1].zoom_count == 4  # along the trunk, upright, and the first two further turns


def test_who_stood_upright_is_not_looked_for_in_turned_views(play: Play, make_body: Make) -> None:
    play.show(make_body(300, 250))
    play.show(make_body(300, 250, score=0.0, zoom_score=0.0, presence=0.0))
    assert play.models[-1].zoom_count == 1


def test_a_weak_answer_of_the_search_is_kept_only_where_somebody_was(play: Play, make_body: Make) -> None:
    assert play.show(make_body(300, 250, score=0.2)).persons == ()
    play.show(make_body(300, 250, score=0.5))
    again = play.show(make_body(300, 250, score=0.2, zoom_score=0.0))
    assert sources(again) == [PersonSource.SEARCH]
    assert again.persons[0].score == pytest.approx(0.2)


def test_a_weak_answer_is_replaced_by_a_better_look_when_a_proof_is_due(play: Play, make_body: Make) -> None:
    play.show(make_body(300, 250))
    observations = [play.show(make_body(300, 250, score=0.2, zoom_score=0.7)) for _ in range(PROOF_FRAMES)]
    search, zoom = PersonSource.SEARCH, PersonSource.ZOOM
    assert [sources(observation) for observation in observations] == [[search]] * (PROOF_FRAMES - 1) + [[zoom]]
    assert observations[-1].persons[0].score == pytest.approx(0.7)


def test_weak_answers_alone_are_not_believed_for_long(play: Play, make_body: Make) -> None:
    play.show(make_body(300, 250))
    ghost = make_body(300, 250, score=0.15, zoom_score=0.2, presence=0.0)
    seen = [len(play.show(ghost).persons) for _ in range(60)]
    limit = round(ObserverParameters().zoom.weak_limit_s * RATE_HZ)
    assert sum(seen[:limit]) == limit
    assert sum(seen[limit + 1 :]) == 0


def test_when_the_looks_fail_the_landmarks_carry_the_person_a_few_frames(play: Play, make_body: Make) -> None:
    play.show(make_body(300, 250))
    hidden = make_body(300, 250, score=0.0, zoom_score=0.0)
    observations = [play.show(hidden) for _ in range(20)]
    first = observations[0].persons[0]
    assert first.source is PersonSource.CARRIED
    assert np.isnan(first.keypoints_px[:, :2]).all()
    assert (first.keypoints_px[:, 2] == 0).all()
    carried_count = sum(len(observation.persons) for observation in observations)
    assert carried_count == int(ObserverParameters().carry.limit_s * RATE_HZ)


def test_landmarks_elsewhere_carry_nobody(play: Play, make_body: Make) -> None:
    play.show(make_body(300, 250))
    assert play.show(make_body(360, 250, score=0.0, zoom_score=0.0)).persons == ()


def test_an_unsure_landmark_net_carries_nobody(play: Play, make_body: Make) -> None:
    play.show(make_body(300, 250))
    assert play.show(make_body(300, 250, score=0.0, zoom_score=0.0, presence=0.5)).persons == ()


def test_who_is_gone_is_given_up_and_costs_less_and_less(play: Play, make_body: Make) -> None:
    play.show(make_body(300, 250))
    for _ in range(80):
        assert play.show().persons == ()
    assert play.memory.regions == ()
    parameters = ObserverParameters()
    looked = [models.zoom_count > 0 for models in play.models[1:]]
    frames_remembered = round(parameters.forget_after_s * RATE_HZ)
    assert all(looked[: parameters.zoom.eager_miss_count])
    assert sum(looked) <= parameters.zoom.eager_miss_count + frames_remembered / parameters.zoom.patient_interval + 1
    assert not any(looked[frames_remembered + 2 :])


def test_who_leaves_the_picture_is_given_up_at_once(play: Play, make_body: Make) -> None:
    for step in range(6):
        play.show(make_body(120 - 30 * step, 250, height_px=200))
    for _ in range(6):
        play.show()
    assert play.memory.regions == ()


def test_a_zoomed_view_does_not_find_a_neighbour_twice(play: Play, make_body: Make) -> None:
    near, missed = make_body(300, 250), make_body(350, 250)
    play.show(near, missed)
    observation = play.show(near)
    assert len(observation.persons) == 1


def test_who_comes_back_a_step_aside_is_one_person_not_a_new_one_too(play: Play, make_body: Make) -> None:
    play.show(make_body(300, 250))
    for _ in range(8):
        play.show()
    assert sources(play.show(make_body(390, 250))) == [PersonSource.SEARCH]
    assert len(play.memory.regions) == 1


def test_two_answers_on_one_body_become_one(play: Play, make_body: Make) -> None:
    observation = play.show(make_body(300, 250, score=0.6), make_body(306, 252, score=0.5))
    assert [person.score for person in observation.persons] == pytest.approx([0.6])


@pytest.mark.parametrize(("count", "is_full"), [(5, False), (6, True)])
def test_six_answers_may_be_incomplete(play: Play, make_body: Make, count: int, is_full: bool) -> None:
    observation = play.show(*(make_body(80 + 160 * i, 250) for i in range(count)))
    assert observation.may_be_incomplete == is_full
    assert len(observation.persons) == count


def script(make_body: Make) -> list[Sequence[Any]]:
    """Somebody walks, is missed, turns over and comes back; another leaves."""
    scenes: list[Sequence[Any]] = []
    for step in range(24):
        x = 200 + 12 * step
        hidden = {"score": 0.0} if 6 <= step < 16 else {}
        turned = {"upright_rad": math.pi / 2} if 10 <= step < 14 else {}
        other = [make_body(700 + 40 * step, 250)] if step < 9 else []
        scenes.append([make_body(x, 250, **hidden, **turned), *other])
    return scenes


def summary(observation: FrameObservation) -> list[tuple[bytes, float, PersonSource]]:
    return [(person.box_px.tobytes(), person.score, person.source) for person in observation.persons]


@pytest.mark.parametrize("stop", [1, 7, 12, 17])
def test_a_stream_goes_on_from_a_stored_memory_as_if_it_had_not_stopped(
    make_frame: Make, make_models: Make, make_body: Make, stop: int
) -> None:
    scenes = script(make_body)
    through = Play(make_frame, make_models, ObserverParameters())
    expected = [summary(through.show(*scene)) for scene in scenes]
    first, second = (Play(make_frame, make_models, ObserverParameters()) for _ in range(2))
    found = [summary(first.show(*scene)) for scene in scenes[:stop]]
    second.memory = RegionMemory.from_array(first.memory.to_array())
    second._index = stop
    found += [summary(second.show(*scene)) for scene in scenes[stop:]]
    assert found == expected
    assert all(len(persons) >= 1 for persons in expected)


@pytest.mark.parametrize("look_ahead_count", [0, 1, 3])
def test_looking_ahead_changes_nothing_but_the_time(
    make_frame: Make, make_models: Make, make_body: Make, look_ahead_count: int
) -> None:
    scenes = script(make_body)
    one_by_one = Play(make_frame, make_models, ObserverParameters())
    expected = [summary(one_by_one.show(*scene)) for scene in scenes]
    frames = [make_frame(frame_index=i, offset_s=i / RATE_HZ) for i in range(len(scenes))]

    class Router:
        """Gives every call to the nets of the frame that it belongs to; searches say so by their image's height."""

        def __init__(self) -> None:
            self.models = [make_models(frame, scene) for frame, scene in zip(frames, scenes, strict=True)]
            self.searched = 0
            self.current: ContextVar[int] = ContextVar("current")

        async def detect_persons(self, image_rgb: np.ndarray) -> np.ndarray:
            if image_rgb.shape[0] != image_rgb.shape[1]:
                self.searched += 1
                return await self.models[self.searched - 1].detect_persons(image_rgb)
            return await self.models[self.current.get()].detect_persons(image_rgb)

        async def estimate_landmarks(self, crops_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            return await self.models[self.current.get()].estimate_landmarks(crops_rgb)

    async def run() -> list[Any]:
        router = Router()

        async def feed() -> AsyncIterator[Any]:
            for frame in frames:
                yield frame

        class Observer(PersonObserver):
            """Says which frame it looks at; one may be seen while those before it are finished."""

            async def see(self, frame: FramePixels, search: FrameSearch, memory: RegionMemory) -> FrameSight:
                router.current.set(frame.frame_index)
                return await super().see(frame, search, memory)

            async def finish(self, sight: FrameSight) -> FrameObservation:
                router.current.set(sight.frame.frame_index)
                return await super().finish(sight)

        observer = Observer(router, ObserverParameters())
        stream = observer.observe_frames(feed(), RegionMemory(), look_ahead_count=look_ahead_count)
        return [summary(observation) async for observation, _ in stream]

    assert asyncio.run(run()) == expected
