"""Videos and pictures for tests: made on the spot, or cut from the sample."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

_RATE_HZ = 30


def grey_frames(count: int, *, width_px: int = 64, height_px: int = 48) -> Iterator[np.ndarray]:
    """Yields pictures in which nobody is, each a little brighter than the one before."""
    for index in range(count):
        yield np.full((height_px, width_px, 3), 20 + 200 * index // max(1, count), np.uint8)


def encode_video(frames: Iterable[np.ndarray], *, container: str = "mp4", quality: int = 18) -> bytes:
    """Returns a video of some pictures (RGB, uint8, HWC), 30 a second."""
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = None
        for index, picture in enumerate(frames):
            if stream is None:
                stream = output.add_stream("libx264", rate=_RATE_HZ)
                stream.height, stream.width = picture.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.gop_size = 10
                stream.codec_context.options = {"crf": str(quality), "preset": "ultrafast"}
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, _RATE_HZ)
            output.mux(stream.encode(frame))
        if stream is not None:
            output.mux(stream.encode(None))
    return file.getvalue()


def encode_sound() -> bytes:
    """Returns half a second of sound in MP4, and no picture."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=48_000)
        stream.codec_context.layout = "mono"
        for start in range(0, 24_000, 960):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
            sound.sample_rate, sound.pts, sound.time_base = 48_000, start, Fraction(1, 48_000)
            output.mux(stream.encode(sound))
        output.mux(stream.encode(None))
    return file.getvalue()


def size_changing_video() -> bytes:
    """Returns a broadcast stream whose pictures become larger on the way."""
    small = encode_video(grey_frames(10), container="mpegts")
    return small + encode_video(grey_frames(10, width_px=128, height_px=96), container="mpegts")


def encode_picture(picture: np.ndarray) -> bytes:
    """Returns a PNG file's bytes."""
    codec = av.CodecContext.create("png", "w")
    codec.height, codec.width = picture.shape[:2]  # type: ignore[attr-defined]
    codec.pix_fmt = "rgb24"  # type: ignore[attr-defined]
    codec.time_base = Fraction(1, _RATE_HZ)  # type: ignore[attr-defined]
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])  # type: ignore[attr-defined]


def cut_frames(video: Path, start: int, count: int, *, width_px: int = 884, height_px: int = 496) -> list[np.ndarray]:
    """Returns frames of a video, made smaller."""
    pictures: list[np.ndarray] = []
    with av.open(str(video)) as opened:
        for index, frame in enumerate(opened.decode(video=0)):
            if index >= start + count:
                break
            if index >= start:
                pictures.append(frame.reformat(width_px, height_px, "rgb24").to_ndarray())
    return pictures


def turned(encoded: bytes, rotation_deg: int) -> bytes:
    """Writes the display matrix of an MP4's first track (ISO 14496-12, 8.3.2) as a phone does that was held turned."""
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[rotation_deg]
    one = 1 << 16
    matrix = struct.pack(">9i", cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    start = encoded.index(b"tkhd") + 4 + 4 + 20 + 8 + 2 + 2 + 2 + 2
    return encoded[:start] + matrix + encoded[start + len(matrix) :]
