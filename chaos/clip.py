"""The clip that is analysed while things break: the beginning of the sample video, encoded anew."""

from __future__ import annotations

from pathlib import Path

from praxiscope_media import VideoCodec, VideoEncoding, VideoSource, VideoWriter
from tools.devstack.settings import CHECKOUT

SAMPLE = CHECKOUT / ".praxiscope" / "samples" / "demo.mp4"


def write_clip(path: Path, length_s: float, *, start_s: float = 0.0) -> Path:
    """Writes a part of the sample video, without its sound, and returns where it is."""
    encoding = VideoEncoding(codec=VideoCodec.VP9)
    with VideoSource.open(SAMPLE) as source, VideoWriter.open(path, source.info, encoding) as writer:
        for frame in source.frames():
            offset_s = float(frame.offset)
            if offset_s >= start_s + length_s:
                break
            if offset_s >= start_s:
                writer.write(frame.rgb(), frame.offset)
    return path
