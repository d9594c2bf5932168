"""Decodes a stored video on a thread of its own, a bounded way ahead of whoever looks at the frames."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from typing import BinaryIO

from praxiscope_media import Frame, MediaLimits, ReadSummary, VideoInfo, VideoSource
from vision_inference_service.adapters.frame_pixels import VideoFramePixels

_BATCHES_AHEAD = 2


@dataclass(frozen=True, kw_only=True)
class VideoReading:
    """How videos are read.

    Attributes:
        limits: What a file may cost.
        batch_frames: Frames that are decoded in one go. At most three batches are held: two ahead and the one that is
            looked at.
    """

    limits: MediaLimits
    batch_frames: int = 4


class VideoFrames:
    """An open video whose frames come asynchronously. Use `open_video`."""

    def __init__(self, source: VideoSource, reading: VideoReading, decoder: Executor, pixel_executor: Executor) -> None:
        """Takes over an open source."""
        self._source = source
        self._reading = reading
        self._decoder = decoder
        self._pixel_executor = pixel_executor

    @property
    def info(self) -> VideoInfo:
        """What the header says."""
        return self._source.info

    @property
    def summary(self) -> ReadSummary:
        """What reading showed; known at the end of `frames`."""
        return self._source.summary

    async def frames(self, *, start_frame: int = 0) -> AsyncIterator[VideoFramePixels]:
        """The frames in order, none left out: when nobody asks, decoding waits.

        Args:
            start_frame: Index of the first frame wanted.
        """
        loop = asyncio.get_running_loop()
        decoded = self._source.frames(start_frame=start_frame)
        batches: deque[asyncio.Future[list[Frame]]] = deque()
        try:
            while True:
                while len(batches) < _BATCHES_AHEAD:
                    batches.append(loop.run_in_executor(self._decoder, self._next_batch, decoded))
                batch = await batches.popleft()
                if not batch:
                    return
                for frame in batch:
                    yield VideoFramePixels(frame, self._pixel_executor)
        finally:
            for future in batches:
                future.cancel()
            # A batch that is being decoded cannot be stopped; its frames are dropped and an error in it has nobody to
            # go to.
            await asyncio.gather(*batches, return_exceptions=True)

    def _next_batch(self, decoded: Iterator[Frame]) -> list[Frame]:
        return list(islice(decoded, self._reading.batch_frames))


@asynccontextmanager
async def open_video(
    file: str | PathLike[str] | BinaryIO, reading: VideoReading, pixel_executor: Executor
) -> AsyncIterator[VideoFrames]:
    """Opens a video; leaving the block, also by cancellation, waits for the decoder and closes it.

    Args:
        file: Path, or a readable and seekable binary file.
        reading: How it is read.
        pixel_executor: Where frames are resized and cut.

    Raises:
        DomainError: The file cannot be read; see `praxiscope_media`.
    """
    loop = asyncio.get_running_loop()
    decoder = ThreadPoolExecutor(max_workers=1, thread_name_prefix="decoder")
    try:
        opening = loop.run_in_executor(decoder, lambda: VideoSource.open(file, limits=reading.limits))
        try:
            source = await asyncio.shield(opening)
        except asyncio.CancelledError:
            opening.add_done_callback(_close_result)
            raise
        try:
            yield VideoFrames(source, reading, decoder, pixel_executor)
        finally:
            await asyncio.shield(loop.run_in_executor(decoder, source.close))
    finally:
        decoder.shutdown(wait=False)


def _close_result(opening: asyncio.Future[VideoSource]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close()
