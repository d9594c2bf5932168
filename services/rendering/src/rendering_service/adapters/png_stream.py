"""Writes a PNG row by row, so that a picture of any size takes the memory of a few rows (ISO/IEC 15948)."""

from __future__ import annotations

import struct
import zlib
from types import TracebackType
from typing import IO

import numpy as np

_COMPRESSION_LEVEL = 6
_FILTER_UP = 2
_GREY, _RGB = 0, 2
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


class PngStream:
    """A PNG that is being written; use it in a `with`.

    Args:
        target: Open for writing.
        width_px: Of the picture.
        height_px: Likewise.
        is_depth: Grey of 16 bits; else RGB of 8.
    """

    def __init__(self, target: IO[bytes], *, width_px: int, height_px: int, is_depth: bool) -> None:
        """Writes the header."""
        self._target, self._left_rows = target, height_px
        self._packer = zlib.compressobj(_COMPRESSION_LEVEL)
        self._above = np.zeros((1, width_px * (2 if is_depth else 3)), np.uint8)
        bits, kind = (16, _GREY) if is_depth else (8, _RGB)
        target.write(_SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width_px, height_px, bits, kind, 0, 0, 0))

    def write(self, rows: np.ndarray) -> None:
        """Adds rows: [h, W, 3], uint8, or [h, W], uint16.

        Raises:
            ValueError: They are more than the picture has, or of another width or type.
        """
        levels = rows.astype(">u2").view(np.uint8) if rows.dtype == np.uint16 else rows
        flat = np.ascontiguousarray(levels).reshape(len(rows), -1)
        if flat.dtype != np.uint8 or flat.shape[1] != self._above.shape[1] or len(flat) > self._left_rows:
            raise ValueError(f"rows of {rows.shape} and {rows.dtype} do not belong into this picture")
        filtered = np.empty((len(flat), 1 + flat.shape[1]), np.uint8)
        filtered[:, 0] = _FILTER_UP
        filtered[:, 1:] = flat - np.concatenate([self._above, flat[:-1]])
        self._above, self._left_rows = flat[-1:].copy(), self._left_rows - len(flat)
        packed = self._packer.compress(filtered.tobytes())
        if packed:
            self._chunk(b"IDAT", packed)

    def __enter__(self) -> PngStream:
        """Returns itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Writes the end, unless something went wrong."""
        if kind is None:
            if self._left_rows:
                raise ValueError(f"{self._left_rows} rows are missing")
            self._chunk(b"IDAT", self._packer.flush())
            self._chunk(b"IEND", b"")

    def _chunk(self, name: bytes, content: bytes) -> None:
        self._target.write(struct.pack(">I", len(content)) + name + content)
        self._target.write(struct.pack(">I", zlib.crc32(name + content)))
