"""The real nets in the real model server, on the real sample video.

Needs the model environment (.venv-models) and the sample video; see the fixtures for where they are looked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from praxiscope_media import MediaLimits, VideoSource
from tests.support.models import REPOSITORY, find_sample_video, run_models
from tools.devstack.triton import RunningTriton
from vision_inference_service.adapters.frame_pixels import ImagePixels, cut_crops
from vision_inference_service.adapters.triton_models import (
    ModelAnswerError,
    ModelDeadlineError,
    ModelServerUnavailableError,
    TritonModels,
    TritonSettings,
)
from vision_inference_service.adapters.video_frames import VideoReading, open_video
from vision_inference_service.core.geometry import CropWindow
from vision_inference_service.core.memory import RegionMemory
from vision_inference_service.core.objects import find_objects
from vision_inference_service.core.observer import PersonObserver
from vision_inference_service.core.parameters import ObjectParameters, ObserverParameters

pytestmark = pytest.mark.triton

_SAME = 1e-4
"""The same weights and the same library, in an environment with another numpy."""


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningTriton]:
    """A running server."""
    with run_models(tmp_path_factory.mktemp("triton") / "triton.log") as running:
        yield running


@pytest.fixture(scope="module")
def sample_video() -> Path:
    """The sample video of the package sports2d."""
    return find_sample_video()


@pytest.fixture(scope="module")
def pictures(sample_video: Path) -> dict[int, np.ndarray]:
    """Three frames: one person, two people, one in the sun's flare."""
    wanted = (20, 80, 140)
    with VideoSource.open(sample_video) as source:
        return {frame.index: frame.rgb() for frame in source.frames() if frame.index in wanted}


def settings(triton: RunningTriton, **changes: float | str) -> TritonSettings:
    return TritonSettings(address=triton.grpc_address, **changes)  # type: ignore[arg-type]


def session(model: str) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(REPOSITORY / model / "1" / "model.onnx", providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("is_local", "crops_per_call"), [(False, 8), (True, 1)], ids=["sent", "shared"])
def test_the_server_gives_what_onnxruntime_gives(
    triton: RunningTriton, pictures: dict[int, np.ndarray], is_local: bool, crops_per_call: int
) -> None:
    picture = pictures[80]
    window = CropWindow.square(center_x_px=1220, center_y_px=728, side_px=520, size_px=256)
    crops = cut_crops(picture, [window, window])
    search = cut_crops(picture, [CropWindow.square(center_x_px=884, center_y_px=497, side_px=1768, size_px=384)])[0]
    objects = cut_crops(picture, [CropWindow.square(center_x_px=884, center_y_px=497, side_px=1768, size_px=512)])[0]

    async def ask() -> tuple[np.ndarray, tuple[np.ndarray, ...], np.ndarray]:
        async with TritonModels(
            settings(triton, is_local=is_local, pose_crops_per_call=crops_per_call), metadata=dict
        ) as models:
            assert await models.are_ready()
            persons = await models.detect_persons(search[64:320])
            return persons, await models.estimate_landmarks(crops), await models.detect_objects(objects)

    persons, (landmarks, world, presence), detections = asyncio.run(ask())
    person_net = session("movenet_multipose")
    expected = person_net.run(["persons"], {"images": search[64:320][None]})[0]
    np.testing.assert_allclose(persons, expected[0], atol=_SAME)
    pose_net = session("blazepose_full")
    outputs = ["landmarks", "world_landmarks", "presence"]
    expected_pose = pose_net.run(outputs, {"images": crops})
    np.testing.assert_allclose(landmarks, expected_pose[0], rtol=_SAME, atol=1e-3)
    np.testing.assert_allclose(world, expected_pose[1], atol=_SAME)
    np.testing.assert_allclose(presence, expected_pose[2][:, 0], atol=_SAME)
    np.testing.assert_array_equal(landmarks[0], landmarks[1])
    assert presence[0] > 0.99
    object_net = session("centernet")
    expected_objects = object_net.run(["detections"], {"images": objects[None]})[0]
    np.testing.assert_allclose(detections, expected_objects[0], rtol=_SAME, atol=1e-2)


async def unregister_all(server: InferenceServerClient) -> None:
    """Lets the server forget what is shared; it refuses while a request that it has just answered is not put away."""
    for _ in range(100):
        with contextlib.suppress(InferenceServerException):
            return await server.unregister_system_shared_memory()
        await asyncio.sleep(0.05)
    raise AssertionError("the server holds on to the memory")


def test_a_server_that_forgot_the_shared_memory_is_told_again_and_inputs_at_the_same_time_do_not_mix(
    triton: RunningTriton, pictures: dict[int, np.ndarray]
) -> None:
    windows = [
        CropWindow.square(center_x_px=400 + 20 * i, center_y_px=300, side_px=500, size_px=256) for i in range(24)
    ]
    crops = cut_crops(pictures[80], windows)

    async def ask() -> tuple[list[np.ndarray], list[np.ndarray]]:
        async with TritonModels(settings(triton), metadata=dict) as models:
            alone = [(await models.estimate_landmarks(crop[None]))[0] for crop in crops]
        async with (
            TritonModels(settings(triton, is_local=True), metadata=dict) as models,
            InferenceServerClient(triton.grpc_address) as server,
        ):
            together = await asyncio.gather(*(models.estimate_landmarks(crop[None]) for crop in crops))
            await unregister_all(server)
            again = await asyncio.gather(*(models.estimate_landmarks(crop[None]) for crop in crops[:4]))
        return alone, [answer[0] for answer in (*together, *again)]

    alone, shared = asyncio.run(ask())
    for expected, found in zip([*alone, *alone[:4]], shared, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_shared_memory_is_gone_after_the_end_and_so_is_that_of_killed_processes(triton: RunningTriton) -> None:
    def files() -> set[Path]:
        return set(Path("/dev/shm").glob("praxiscope-*"))

    ended = subprocess.Popen(["true"])
    ended.wait()
    left_behind = Path(f"/dev/shm/praxiscope-{ended.pid}-0")
    left_behind.write_bytes(bytes(4096))
    before = files()

    async def ask() -> set[Path]:
        async with InferenceServerClient(triton.grpc_address) as server:
            key = f"/{left_behind.name}"
            await server.register_system_shared_memory(key, key, 4096)
            async with TritonModels(settings(triton, is_local=True), metadata=dict) as models:
                await models.detect_persons(np.zeros((64, 64, 3), np.uint8))
                made = files() - before
                assert set((await server.get_system_shared_memory_status()).regions) == {f"/{made.copy().pop().name}"}
            assert not (await server.get_system_shared_memory_status()).regions
            return made

    assert len(asyncio.run(ask())) == 1
    assert files() == before - {left_behind}


def center(box: np.ndarray) -> tuple[float, float]:
    return float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2


def test_both_people_are_found_in_every_frame_also_where_the_search_misses_the_man(
    triton: RunningTriton, sample_video: Path
) -> None:
    async def observe() -> list[list[tuple[float, float]]]:
        with ThreadPoolExecutor(1) as executor:
            async with (
                TritonModels(settings(triton), metadata=dict) as models,
                open_video(sample_video, VideoReading(limits=MediaLimits()), executor) as video,
            ):
                observer = PersonObserver(models, ObserverParameters())
                found: list[list[tuple[float, float]]] = []
                async for observation, _ in observer.observe_frames(video.frames(start_frame=90), RegionMemory()):
                    found.append([center(person.box_px) for person in observation.persons])
                    if observation.frame_index == 130:
                        break
                return found

    for i_frame, centers in enumerate(asyncio.run(observe()), start=90):
        # The man stands on the roof, above the middle; the woman walks below it.
        assert sum(y < 450 for _, y in centers) == 1, i_frame
        assert sum(y > 550 for _, y in centers) == 1, i_frame


def test_objects_of_a_picture_are_found(triton: RunningTriton, pictures: dict[int, np.ndarray]) -> None:
    async def find() -> list[str]:
        with ThreadPoolExecutor(1) as executor:
            async with TritonModels(settings(triton), metadata=dict) as models:
                picture = ImagePixels(pictures[80], executor)
                return [item.label for item in await find_objects(picture, models, ObjectParameters())]

    assert "person" in asyncio.run(find())


def test_a_picture_of_a_wrong_size_is_our_mistake(triton: RunningTriton) -> None:
    async def ask() -> None:
        async with TritonModels(settings(triton), metadata=dict) as models:
            await models.detect_persons(np.zeros((100, 100, 3), np.uint8))

    with pytest.raises(ModelAnswerError):
        asyncio.run(ask())


def test_too_many_crops_are_our_mistake(triton: RunningTriton) -> None:
    async def ask() -> None:
        async with TritonModels(settings(triton, pose_crops_per_call=9), metadata=dict) as models:
            await models.estimate_landmarks(np.zeros((9, 256, 256, 3), np.uint8))

    with pytest.raises(ModelAnswerError):
        asyncio.run(ask())


def test_an_inference_that_takes_too_long_is_a_deadline(triton: RunningTriton) -> None:
    async def ask() -> None:
        async with TritonModels(settings(triton, deadline_s=0.005), metadata=dict) as models:
            await models.detect_persons(np.zeros((640, 640, 3), np.uint8))

    with pytest.raises(ModelDeadlineError):
        asyncio.run(ask())


def test_a_model_that_is_not_there_is_unavailable(triton: RunningTriton) -> None:
    async def ask() -> bool:
        async with TritonModels(settings(triton, person_model="other"), metadata=dict) as models:
            with pytest.raises(ModelServerUnavailableError):
                await models.detect_persons(np.zeros((64, 64, 3), np.uint8))
            return await models.are_ready()

    assert not asyncio.run(ask())


def test_a_server_that_is_not_there_is_unavailable() -> None:
    async def ask() -> bool:
        async with TritonModels(TritonSettings(address="127.0.0.1:1", deadline_s=2.0), metadata=dict) as models:
            with pytest.raises(ModelServerUnavailableError) as caught:
                await models.detect_persons(np.zeros((64, 64, 3), np.uint8))
            assert caught.value.retry_after_s == 1.0
            return await models.are_ready()

    assert not asyncio.run(ask())
