"""Writes PNG pictures for textures (ISO/IEC 15948); readers get a decoder from outside."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from jaxtyping import UInt8

_COMPRESSION_LEVEL = 6
_FILTER_UP = 2
_EIGHT_BITS, _RGB = 8, 2


def encode_png(picture_rgb: UInt8[np.ndarray, "H W 3"]) -> bytes:
    """Encodes a picture without loss; each row as its difference to the one above, which suits textures."""
    height_px, width_px, _ = picture_rgb.shape
    rows = np.empty((height_px, 1 + 3 * width_px), np.uint8)
    rows[:, 0] = _FILTER_UP
    flat = picture_rgb.reshape(height_px, -1)
    rows[:1, 1:] = flat[:1]
    rows[1:, 1:] = flat[1:] - flat[:-1]
    header = struct.pack(">IIBBBBB", width_px, height_px, _EIGHT_BITS, _RGB, 0, 0, 0)
    body = zlib.compress(rows.tobytes(), _COMPRESSION_LEVEL)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
