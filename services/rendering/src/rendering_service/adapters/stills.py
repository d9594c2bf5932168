"""One drawn frame as a PNG."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2

from praxiscope_assets import AssetFile, AssetFiles
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_media import VideoInfo, VideoSource
from rendering_service.adapters.canvas import put
from rendering_service.adapters.drawn_video import picture_of, size_of
from rendering_service.adapters.motion_file import RECORDS_PATH, MotionFile, read_motion
from rendering_service.core.errors import FrameOutOfRangeError, QueueFullError, StillTooLargeError
from rendering_service.core.overlay import Overlay
from rendering_service.core.types import MotionFrame, Still, StillQuestion

_MAX_PNG_BYTES = 4_000_000  # an answer may have 4 MiB
_CURVE_S = 3.0
_MAX_WINDOW_FRAMES = 1000  # as many as the curve remembers
_RETRY_AFTER_S = 1.0


class Stills:
    """Draws single frames, a few at a time.

    Args:
        files: Finds files in the library.
        identity: Gets tokens to act for the caller.
        max_at_once: How many are drawn at once; more are refused.
    """

    def __init__(self, files: AssetFiles, identity: ServiceIdentity, *, max_at_once: int) -> None:
        """Keeps what it needs."""
        self._files, self._identity = files, identity
        self._threads = ThreadPoolExecutor(max_at_once, thread_name_prefix="stills")
        self._free_count = max_at_once

    async def draw(self, question: StillQuestion) -> Still:
        """Draws one frame.

        Raises:
            FrameOutOfRangeError: If the video has no such frame.
            StillTooLargeError: If the picture is larger than an answer may be.
            QueueFullError: If too many are being drawn.
        """
        if self._free_count <= 0:
            raise QueueFullError(retry_after_s=_RETRY_AFTER_S)
        self._free_count -= 1
        try:
            token = await self._identity.token_for_caller()
            records = await self._files.resolve(question.motion, RECORDS_PATH, token=token)
            run = asyncio.get_running_loop().run_in_executor
            video_name, path = await run(self._threads, self._video_of, records)
            video = await self._files.resolve(video_name, path, token=token)
            return await run(self._threads, self._draw, question, records, video)
        finally:
            self._free_count += 1

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _video_of(self, records: AssetFile) -> tuple[str, str]:
        with self._files.open(records) as file:
            header = read_motion(file).header
            return header.video, header.video_path

    def _draw(self, question: StillQuestion, records: AssetFile, video: AssetFile) -> Still:
        with self._files.open(records) as motion_file, self._files.open(video) as video_file:
            motion = read_motion(motion_file)
            with VideoSource.open(video_file) as source:
                window = _window_before(question, motion)
                index = window[-1].frame_index
                frame = next(iter(source.frames(start_frame=index)), None)
                if frame is None:
                    raise _out_of_range(question)
                width, height = size_of(source.info, question.height)
                overlay = _overlay(question, motion, source.info, width, height)
                for earlier in window[:-1]:
                    overlay.draw(earlier)  # the curve remembers
                picture = picture_of(frame, width, height)
                put(picture, overlay.draw(window[-1]))
        _, encoded = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        png = encoded.tobytes()
        if len(png) > _MAX_PNG_BYTES:
            raise StillTooLargeError(
                f"The picture has {len(png)} bytes and an answer at most {_MAX_PNG_BYTES}; ask for a smaller height_px than {height}.",
                metadata={"size_bytes": str(len(png)), "height_px": str(height)},
            )
        return Still(png=png, frame_index=index, width=width, height=height)


def _overlay(question: StillQuestion, motion: MotionFile, info: VideoInfo, width: int, height: int) -> Overlay:
    return Overlay(
        layout=motion.layout, style=question.style, width=width, height=height, scale=height / info.height_px
    )


def _window_before(question: StillQuestion, motion: MotionFile) -> list[MotionFrame]:
    """Returns the frames of the curve's window, the one asked for last."""
    window: list[MotionFrame] = []
    for frame in _until(question, motion.frames):
        window.append(frame)
        while window[0].offset_s < frame.offset_s - _CURVE_S or len(window) > _MAX_WINDOW_FRAMES:
            window.pop(0)
    last = window[-1] if window else None
    if last is None or (question.frame_index is not None and last.frame_index != question.frame_index):
        raise _out_of_range(question)
    return window


def _until(question: StillQuestion, frames: Iterator[MotionFrame]) -> Iterator[MotionFrame]:
    """Yields frames up to the one asked for; a time behind the last frame's stands for nothing."""
    shown: MotionFrame | None = None
    for frame in frames:
        if question.offset_s is not None and frame.offset_s > question.offset_s:
            return
        shown = frame
        yield frame
        if question.frame_index is not None and frame.frame_index >= question.frame_index:
            return
    if question.offset_s is not None and shown is not None and question.offset_s > shown.offset_s + 1.0:
        raise _out_of_range(question)


def _out_of_range(question: StillQuestion) -> FrameOutOfRangeError:
    if question.frame_index is not None:
        return FrameOutOfRangeError(
            f"The video has no frame {question.frame_index}.", metadata={"frame_index": str(question.frame_index)}
        )
    return FrameOutOfRangeError(
        f"The video shows nothing at {question.offset_s} s.", metadata={"offset_s": str(question.offset_s)}
    )
