"""Asks the real nets, in the real model server, about the sample video, and stores what they say.

    python bench/accuracy/observe_sample.py [OBSERVATIONS.npz]

Without an argument it writes tests/golden/motion/observations.npz anew: rows per frame and person as
`motion_sample.py` reads them, points rounded to an eighth of a pixel, metres and scores to half precision. Wants what
`make setup` makes.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from praxiscope_media import MediaLimits
from tools.devstack.settings import CHECKOUT
from tools.devstack.triton import run_triton
from vision_inference_service.adapters.triton_models import TritonModels, TritonSettings
from vision_inference_service.adapters.video_frames import VideoReading, open_video
from vision_inference_service.core.memory import RegionMemory
from vision_inference_service.core.observer import PersonObserver
from vision_inference_service.core.parameters import ObserverParameters
from vision_inference_service.core.ports import PoseModels
from vision_inference_service.core.types import FrameObservation, PersonSource

STATE = CHECKOUT / ".praxiscope"
GOLDEN = CHECKOUT / "tests" / "golden" / "motion" / "observations.npz"
SOURCES = [PersonSource.SEARCH, PersonSource.CARRIED, PersonSource.ZOOM]


def as_they_are(models: PoseModels) -> PoseModels:
    """The nets themselves."""
    return models


async def observe(
    address: str, video: Path, *, wrap: Callable[[PoseModels], PoseModels] = as_they_are
) -> tuple[list[FrameObservation], tuple[int, int]]:
    """Observes the whole video; returns frames, width and height.

    Args:
        address: Of the model server.
        video: The file.
        wrap: Puts something between the nets and who asks them.
    """
    with ThreadPoolExecutor(2) as executor:
        async with (
            TritonModels(TritonSettings(address=address, is_local=True), metadata=dict) as models,
            open_video(video, VideoReading(limits=MediaLimits()), executor) as source,
        ):
            observer = PersonObserver(wrap(models), ObserverParameters())
            frames = [frame async for frame, _ in observer.observe_frames(source.frames(), RegionMemory())]
            return frames, (source.info.width_px, source.info.height_px)


def round_points(values: np.ndarray) -> np.ndarray:
    """An eighth of a pixel, scores and visibilities to three digits."""
    rounded = values.astype(np.float32)
    rounded[..., :2] = np.round(rounded[..., :2] * 8) / 8
    rounded[..., 2:] = rounded[..., 2:].astype(np.float16)
    return rounded


def write(path: Path, frames: list[FrameObservation], size_px: tuple[int, int]) -> int:
    """Writes observations as `motion_sample.py` reads them; returns how many people there are in all frames together."""
    rows = [(frame.frame_index, person) for frame in frames for person in frame.persons]
    people = [person for _, person in rows]
    np.savez_compressed(
        path,
        offset_s=np.array([frame.offset_s for frame in frames]),
        width=size_px[0],
        height=size_px[1],
        frame=np.array([index for index, _ in rows], np.int16),
        box=np.round(np.stack([person.box_px for person in people]) * 8).astype(np.float32) / 8,
        score=np.array([person.score for person in people], np.float16),
        kp=round_points(np.stack([person.keypoints_px for person in people])),
        lm=round_points(np.stack([person.landmarks_px for person in people])),
        world=np.stack([person.world_landmarks_m for person in people]).astype(np.float16).astype(np.float32),
        presence=np.array([person.pose_presence for person in people], np.float16),
        source=np.array([SOURCES.index(person.source) for person in people], np.int8),
    )
    return len(people)


def main(arguments: list[str]) -> int:
    """Writes the file."""
    path = Path(arguments[0]) if arguments else GOLDEN
    with tempfile.TemporaryDirectory() as folder:
        environment = CHECKOUT / ".venv-models"
        with run_triton(environment, STATE / "triton", STATE / "models", log=Path(folder) / "triton.log") as triton:
            frames, size_px = asyncio.run(observe(triton.grpc_address, STATE / "samples" / "demo.mp4"))
    person_count = write(path, frames, size_px)
    print(f"{len(frames)} frames, {person_count} people in them")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
