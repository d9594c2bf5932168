"""Tiny videos, made here: each frame shows its own index, so that a test knows which frame it got."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

MakeVideo = Callable[..., Path]


def picture_of(index: int, width_px: int, height_px: int) -> np.ndarray:
    """Grey as bright as the index says, with a white upper left quarter."""
    picture = np.full((height_px, width_px, 3), 20 + 6 * index, np.uint8)
    picture[: height_px // 2, : width_px // 2] = 255
    return picture


@pytest.fixture
def index_of() -> Callable[[np.ndarray], int]:
    """Reads the index out of a picture again, from its darkest corner."""

    def read(picture: np.ndarray) -> int:
        height, width = picture.shape[:2]
        corners = (
            picture[height // 8, width // 8],
            picture[height // 8, -width // 8],
            picture[-height // 8, width // 8],
            picture[-height // 8, -width // 8],
        )
        return round((float(min(corner.mean() for corner in corners)) - 20) / 6)

    return read


@pytest.fixture
def make_video(tmp_path: Path) -> MakeVideo:
    """Writes a video and gives its path."""

    def make(
        name: str = "video.mp4",
        *,
        size: tuple[int, int] = (64, 48),
        offsets: Sequence[Fraction] | None = None,
        frame_count: int = 12,
        codec: str = "libx264",
        pixel_format: str = "yuv420p",
        key_interval: int = 4,
        has_video: bool = True,
        audio_codec: str | None = None,
        rotation_deg: int = 0,
    ) -> Path:
        path = tmp_path / name
        times = offsets or [Fraction(i, 10) for i in range(frame_count)]
        with av.open(str(path), "w", options={"movflags": "+faststart"} if name.endswith("mp4") else {}) as output:
            video = output.add_stream(codec, rate=10) if has_video else None
            audio = output.add_stream(audio_codec, rate=48_000) if audio_codec else None
            if audio is not None:
                audio.codec_context.layout = "mono"
            if video is not None:
                video.width, video.height = size
                video.pix_fmt = pixel_format
                video.codec_context.time_base = Fraction(1, 1000)
                video.codec_context.gop_size = key_interval
                video.codec_context.max_b_frames = 2
                video.codec_context.options = {"crf": "4", "preset": "ultrafast", "sc_threshold": "0"}
                for index, offset in enumerate(times):
                    frame = av.VideoFrame.from_ndarray(picture_of(index, *size), format="rgb24")
                    frame = frame.reformat(format=pixel_format)
                    frame.pts, frame.time_base = round(offset * 1000), Fraction(1, 1000)
                    output.mux(video.encode(frame))
                output.mux(video.encode(None))
            if audio is not None:
                tone = (0.3 * np.sin(np.arange(48_000 * 2) / 20)).astype(np.float32)
                size_samples = 960
                for start in range(0, len(tone), size_samples):
                    chunk = tone[start : start + size_samples]
                    sound = av.AudioFrame.from_ndarray(chunk[None], format="flt", layout="mono")
                    sound.sample_rate, sound.pts, sound.time_base = 48_000, start, Fraction(1, 48_000)
                    output.mux(audio.encode(sound))
                output.mux(audio.encode(None))
        if rotation_deg:
            path.write_bytes(turn(path.read_bytes(), rotation_deg))
        return path

    return make


def turn(encoded: bytes, rotation_deg: int) -> bytes:
    """Writes the display matrix of an MP4's first track (ISO 14496-12, 8.3.2) as a phone does that was held turned."""
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[rotation_deg]
    one = 1 << 16
    matrix = struct.pack(">9i", cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    start = encoded.index(b"tkhd") + 4 + 4 + 20 + 8 + 2 + 2 + 2 + 2
    return encoded[:start] + matrix + encoded[start + len(matrix) :]
