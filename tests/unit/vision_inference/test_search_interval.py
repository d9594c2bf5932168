"""Searching in every n-th frame only: who is known is followed, who is new waits for the next search."""

import numpy as np
import pytest

from vision_inference_service.core.geometry import CropWindow
from vision_inference_service.core.memory import RegionMemory, new_region
from vision_inference_service.core.observer import PersonObserver
from vision_inference_service.core.parameters import ObserverParameters


class Frame:
    width_px, height_px = 640, 360

    def __init__(self, index: int) -> None:
        self.frame_index, self.offset_s = index, index / 30

    async def resized_rgb(self, width_px: int, height_px: int) -> np.ndarray:
        return np.zeros((height_px, width_px, 3), np.uint8)

    async def crops_rgb(self, windows: list[CropWindow]) -> np.ndarray:
        return np.zeros((len(windows), windows[0].height_px, windows[0].width_px, 3), np.uint8)


class Models:
    def __init__(self) -> None:
        self.search_count, self.landmark_count = 0, 0

    async def detect_persons(self, image_rgb: np.ndarray) -> np.ndarray:
        self.search_count += 1
        return np.zeros((6, 56), np.float32)

    async def estimate_landmarks(self, crops_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        self.landmark_count += len(crops_rgb)
        count = len(crops_rgb)
        points = np.zeros((count, 39, 5), np.float32)
        points[:, :, 0] = np.linspace(80, 176, 39)
        points[:, :, 1] = np.linspace(24, 232, 39)
        points[:, 33:35, :2] = (128, 128), (128, 26)  # the hips' middle, and above the head
        points[:, :, 3:] = 10.0  # sure and present
        return points, np.zeros((count, 39, 3), np.float32), np.ones(count, np.float32)


def remembered() -> RegionMemory:
    return RegionMemory(regions=(new_region(np.array([200, 60, 290, 260], np.float32), offset_s=0.0),))


@pytest.mark.parametrize(("index", "searched"), [(0, True), (1, False), (2, False), (3, True)])
async def test_only_every_nth_frame_is_searched(index: int, searched: bool) -> None:
    models = Models()
    observer = PersonObserver(models, ObserverParameters(search_interval_frames=3))
    observation, _ = await observer.observe(Frame(index), RegionMemory())
    assert observation.was_searched is searched
    assert models.search_count == int(searched)


async def test_who_is_known_is_followed_by_landmarks_alone() -> None:
    models = Models()
    observer = PersonObserver(models, ObserverParameters(search_interval_frames=3))
    observation, memory = await observer.observe(Frame(1), remembered())
    assert (models.search_count, models.landmark_count) == (0, 1)
    assert len(observation.persons) == 1
    assert len(memory.regions) == 1


async def test_nobody_is_missed_where_nobody_looked() -> None:
    class Blind(Models):
        async def estimate_landmarks(self, crops_rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            points, world, presence = await super().estimate_landmarks(crops_rgb)
            return points, world, presence * 0

    observer = PersonObserver(Blind(), ObserverParameters(search_interval_frames=3))
    observation, memory = await observer.observe(Frame(1), remembered())
    assert observation.persons == ()
    assert memory.regions[0].miss_count == 0


async def test_without_landmarks_the_landmark_net_is_left_alone() -> None:
    models = Models()
    observer = PersonObserver(models, ObserverParameters(are_landmarks_wanted=False))
    await observer.observe(Frame(0), remembered())
    assert models.landmark_count == 0
