"""Draws over a whole video: decode, draw and encode side by side, a few frames in between."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from av.codec.codec import UnknownCodecError
from av.error import EncoderNotFoundError

from praxiscope_media import Frame, MediaLimits, VideoEncoding, VideoInfo, VideoSource, VideoWriter
from rendering_service.adapters.canvas import Picture, put
from rendering_service.adapters.motion_file import MotionFile
from rendering_service.core.errors import CodecUnavailableError, StillTooLargeError
from rendering_service.core.overlay import Overlay
from rendering_service.core.types import MotionFrame, Style

_FRAMES_BETWEEN = 4
_END = None


@dataclass(frozen=True, kw_only=True)
class VideoJob:
    """What is drawn over what, and where it goes.

    Attributes:
        video: The video, open.
        sound: The same video again, open, for its sound.
        motion: What is drawn.
        target: Where the drawn video goes.
        encoding: Its codec.
        height: Its height; 0 is the source's.
        style: What is drawn.
    """

    video: BinaryIO
    sound: BinaryIO
    motion: MotionFile
    target: Path
    encoding: VideoEncoding
    height: int
    style: Style


def draw_video(job: VideoJob, *, on_frame: Callable[[int, int], None], should_stop: threading.Event) -> int:
    """Draws a whole video; call it in a thread of its own.

    Args:
        job: What is drawn.
        on_frame: Told of the frames drawn and of how many there probably are.
        should_stop: Ends it early.

    Returns:
        How many frames were drawn.

    Raises:
        CodecUnavailableError: If there is no encoder for the codec.
        DomainError: If the video cannot be read; see `praxiscope_media`.
    """
    with VideoSource.open(job.video) as source:
        width, height = size_of(source.info, job.height)
        info = replace(source.info, width_px=width, height_px=height)
        overlay = Overlay(
            layout=job.motion.layout, style=job.style, width=width, height=height, scale=height / source.info.height_px
        )
        try:
            writer = VideoWriter.open(job.target, info, job.encoding, audio_from=job.sound if info.has_audio else None)
        except (EncoderNotFoundError, UnknownCodecError) as error:
            raise CodecUnavailableError(metadata={"codec": job.encoding.codec.name}) from error
        with writer:
            return _draw_frames(job, source, writer, overlay, on_frame, should_stop)


def _draw_frames(
    job: VideoJob,
    source: VideoSource,
    writer: VideoWriter,
    overlay: Overlay,
    on_frame: Callable[[int, int], None],
    should_stop: threading.Event,
) -> int:
    moving = aligned(job.motion.frames)
    next(moving)
    drawn_count = 0
    for picture, index, offset in _decoded(source, overlay.width, overlay.height, should_stop):
        put(picture, overlay.draw(moving.send(index)))
        writer.write(picture, offset)
        drawn_count += 1
        on_frame(drawn_count, source.info.frame_count)
        if should_stop.is_set():
            break
    return drawn_count


def _decoded(
    source: VideoSource, width: int, height: int, should_stop: threading.Event
) -> Iterator[tuple[Picture, int, Fraction]]:
    """Yields pictures of the target's size; a thread decodes a few frames ahead."""
    ready: queue.Queue[tuple[Picture, int, Fraction] | BaseException | None] = queue.Queue(_FRAMES_BETWEEN)
    over = threading.Event()

    def offer(item: tuple[Picture, int, Fraction] | BaseException | None) -> bool:
        while not over.is_set():
            with suppress(queue.Full):
                ready.put(item, timeout=0.1)
                return True
        return False

    def decode() -> None:
        try:
            for frame in source.frames():
                if should_stop.is_set() or not offer((picture_of(frame, width, height), frame.index, frame.offset)):
                    break
            offer(_END)
        except BaseException as error:  # noqa: BLE001  it is raised where the frames are asked for
            offer(error)

    thread = threading.Thread(target=decode, name="decoder", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        over.set()
        thread.join()


def picture_of(frame: Frame, width: int, height: int) -> Picture:
    """Returns a frame at a size, to be drawn on."""
    if (frame.width_px, frame.height_px) == (width, height):
        return frame.rgb().copy()
    return frame.resized_rgb(width, height).copy()


def size_of(info: VideoInfo, height: int) -> tuple[int, int]:
    """Returns the drawn picture's width and height: the source's, or the height asked for and the width that goes with it.

    Raises:
        StillTooLargeError: If that has more pixels than a video may have: a source of 8000x16 pixels grows to that.
    """
    if not height or height == info.height_px:
        return info.width_px, info.height_px
    width = max(2, round(info.width_px * height / info.height_px / 2) * 2)
    if width * height > MediaLimits().max_pixels:
        raise StillTooLargeError(
            f"At a height of {height} the picture would be {width} wide, which is too large; ask for a smaller height_px.",
            metadata={"width_px": str(width), "height_px": str(height)},
        )
    return width, height


def aligned(frames: Iterator[MotionFrame]) -> Generator[MotionFrame, int, None]:
    """A generator to which a video frame's number is sent and which gives the motion of that frame; empty where there is none."""
    ahead = next(frames, None)
    answer = MotionFrame(frame_index=-1, offset_s=0.0)
    while True:
        wanted = yield answer
        while ahead is not None and ahead.frame_index < wanted:
            ahead = next(frames, None)
        found = ahead is not None and ahead.frame_index == wanted
        answer = ahead if found and ahead is not None else MotionFrame(frame_index=wanted, offset_s=answer.offset_s)
