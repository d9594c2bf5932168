"""A long video: the sample's frames, played again and again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from praxiscope_media import VideoEncoding, VideoInfo, VideoWriter

RATE_HZ = 30


def read_small(sample: Path, width_px: int) -> list[NDArray[np.uint8]]:
    """Returns a video's frames, made smaller."""
    with av.open(str(sample)) as container:
        frames = container.decode(video=0)
        return [_small(frame, width_px) for frame in frames]


def write_long(path: Path, pictures: list[NDArray[np.uint8]], frame_count: int) -> Path:
    """Writes so many frames, forwards and then backwards, so that nobody jumps where the sample ends."""
    height_px, width_px = pictures[0].shape[:2]
    info = VideoInfo(
        width_px=width_px,
        height_px=height_px,
        frame_count=frame_count,
        duration_s=frame_count / RATE_HZ,
        average_rate_hz=Fraction(RATE_HZ),
        rotation_deg=0,
        codec="av1",
        has_audio=False,
    )
    last = len(pictures) - 1
    with VideoWriter.open(path, info, VideoEncoding()) as writer:
        for i_frame in range(frame_count):
            place = i_frame % (2 * last)
            writer.write(pictures[min(place, 2 * last - place)], Fraction(i_frame, RATE_HZ))
    return path


def _small(frame: av.VideoFrame, width_px: int) -> NDArray[np.uint8]:
    height_px = round(frame.height * width_px / frame.width / 2) * 2
    return frame.reformat(width=width_px, height=height_px, format="rgb24").to_ndarray()
