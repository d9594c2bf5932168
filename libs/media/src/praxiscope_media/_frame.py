"""One upright frame of a video."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av import VideoFrame
from av.video.reformatter import Interpolation
from numpy.typing import NDArray


class Frame:
    """One decoded frame; its pixels are converted when asked for.

    Not safe to use from two threads at once.

    Attributes:
        index: Index in the video, from 0.
        offset: Exact media time in seconds from the first frame's.
        width_px: Width of the upright picture.
        height_px: Height of the upright picture.
    """

    def __init__(self, decoded: VideoFrame, *, index: int, offset: Fraction, quarter_turns: int) -> None:
        """Keeps the decoder's frame.

        Args:
            decoded: As it came from the decoder.
            index: Index in the video.
            offset: Media time in seconds.
            quarter_turns: How often the picture must be turned by 90 degrees counter-clockwise to be upright, 0..3.
        """
        self._decoded = decoded
        self._quarter_turns = quarter_turns
        self._rgb: NDArray[np.uint8] | None = None
        self.index = index
        self.offset = offset
        is_sideways = quarter_turns % 2 == 1
        self.width_px = decoded.height if is_sideways else decoded.width
        self.height_px = decoded.width if is_sideways else decoded.height

    @property
    def offset_s(self) -> float:
        """Media time in seconds from the first frame's."""
        return float(self.offset)

    def rgb(self) -> NDArray[np.uint8]:
        """The whole picture, (H, W, 3) RGB, full range; converted once, so do not write into it."""
        if self._rgb is None:
            self._rgb = self._upright(np.asarray(self._decoded.to_ndarray(format="rgb24", threads=1), np.uint8))
            self._rgb.setflags(write=False)
        return self._rgb

    def resized_rgb(self, width_px: int, height_px: int) -> NDArray[np.uint8]:
        """The whole picture at another size, (height_px, width_px, 3) RGB, averaged over areas when it shrinks.

        Scaled straight from the decoder's planes, so the full RGB picture is not made.
        """
        if self._quarter_turns % 2 == 1:
            width_px, height_px = height_px, width_px
        scaled = self._decoded.reformat(
            width=width_px, height=height_px, format="rgb24", interpolation=Interpolation.AREA, threads=1
        )
        return self._upright(np.asarray(scaled.to_ndarray(), np.uint8))

    def _upright(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.ascontiguousarray(np.rot90(picture, self._quarter_turns)) if self._quarter_turns else picture
