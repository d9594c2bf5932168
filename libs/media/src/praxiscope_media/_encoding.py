"""How a video is written."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class VideoCodec(enum.Enum):
    """Codecs that current browsers play."""

    AV1 = "libsvtav1"
    """Smallest files; free of licence fees."""
    VP9 = "libvpx-vp9"
    """For browsers without AV1; free of licence fees."""
    H264 = "libx264"
    """Plays everywhere. The encoder is GPL software: only where that suits."""


@dataclass(frozen=True, kw_only=True)
class VideoEncoding:
    """How a video is written.

    Attributes:
        codec: The codec.
        speed: 0 (slow, small) .. 1 (fast, large). 0.92 is SVT-AV1's preset 12, 16-20 ms of CPU a frame at 1768x994.
        constant_quality: The encoder's own scale, less is better; None takes a good value for the codec.
        encoder_threads: How many cores the encoder may use; 0 leaves it to the encoder.
    """

    codec: VideoCodec = VideoCodec.AV1
    speed: float = 0.92
    constant_quality: int | None = None
    encoder_threads: int = 0

    def __post_init__(self) -> None:
        """Refuses a speed outside 0..1."""
        if not 0.0 <= self.speed <= 1.0:
            raise ValueError(f"speed must be from 0 to 1, but is {self.speed}")

    def codec_options(self) -> dict[str, str]:
        """The encoder's own options."""
        quality = self.constant_quality
        match self.codec:
            case VideoCodec.AV1:
                # SVT-AV1 speaks only to people who read its logs.
                options = {"preset": str(round(13 * self.speed)), "crf": str(35 if quality is None else quality)}
                if self.encoder_threads:
                    options["svtav1-params"] = f"lp={self.encoder_threads}"
                return options
            case VideoCodec.VP9:
                return {
                    "deadline": "realtime",
                    "cpu-used": str(round(8 * self.speed)),
                    "row-mt": "1",
                    "crf": str(33 if quality is None else quality),
                    "b": "0",
                }
            case VideoCodec.H264:
                presets = ("veryslow", "slower", "slow", "medium", "fast", "faster", "veryfast", "superfast")
                return {
                    "preset": presets[round((len(presets) - 1) * self.speed)],
                    "crf": str(23 if quality is None else quality),
                }
