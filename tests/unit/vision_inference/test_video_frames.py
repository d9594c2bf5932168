"""Decoding ahead, but not too far, and stopping whenever asked."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from praxiscope_media import MediaLimits, MediaTooLongError, MediaUnreadableError
from vision_inference_service.adapters.video_frames import VideoReading, open_video

READING = VideoReading(limits=MediaLimits(), batch_frames=3)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Forty frames."""
    path = tmp_path / "video.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 5 * index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 10)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """For pixels."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


def decoder_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("decoder")]


@pytest.mark.parametrize("start_frame", [0, 17, 39, 40])
def test_all_frames_come_in_order(video: Path, executor: ThreadPoolExecutor, start_frame: int) -> None:
    async def run() -> list[int]:
        async with open_video(video, READING, executor) as frames:
            indices = [frame.frame_index async for frame in frames.frames(start_frame=start_frame)]
            assert not frames.summary.is_truncated
            return indices

    assert asyncio.run(run()) == list(range(start_frame, 40))


def test_a_slow_reader_makes_the_decoder_wait_and_loses_nothing(video: Path, executor: ThreadPoolExecutor) -> None:
    async def run() -> None:
        async with open_video(video, READING, executor) as frames:
            decoded = 0
            original = frames._source.frames

            def counting(*, start_frame: int = 0) -> Iterator[object]:
                nonlocal decoded
                for frame in original(start_frame=start_frame):
                    decoded += 1
                    yield frame

            frames._source.frames = counting  # type: ignore[method-assign,assignment]
            seen = 0
            async for _ in frames.frames():
                seen += 1
                await asyncio.sleep(0.005)
                assert decoded - seen <= 3 * READING.batch_frames
            assert seen == 40

    asyncio.run(run())


def test_cancelling_in_the_middle_closes_everything(video: Path, executor: ThreadPoolExecutor) -> None:
    async def look() -> None:
        async with open_video(video, READING, executor) as frames:
            async for frame in frames.frames():
                await frame.resized_rgb(32, 24)
                await asyncio.sleep(0.01)

    async def run() -> None:
        task = asyncio.create_task(look())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    deadline_s = time.monotonic() + 2
    while decoder_threads() and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert decoder_threads() == []


def test_leaving_early_is_fine(video: Path, executor: ThreadPoolExecutor) -> None:
    async def run() -> None:
        async with open_video(video, READING, executor) as frames:
            async for frame in frames.frames():
                if frame.frame_index == 4:
                    break

    asyncio.run(run())


def test_errors_reach_the_reader(video: Path, executor: ThreadPoolExecutor, tmp_path: Path) -> None:
    async def read(path: Path, reading: VideoReading) -> None:
        async with open_video(path, reading, executor) as frames:
            async for _ in frames.frames():
                pass

    (tmp_path / "text.mp4").write_text("hello")
    with pytest.raises(MediaUnreadableError):
        asyncio.run(read(tmp_path / "text.mp4", READING))
    with pytest.raises(MediaTooLongError):
        asyncio.run(read(video, VideoReading(limits=MediaLimits(max_frames=39))))
