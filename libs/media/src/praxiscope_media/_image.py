"""Decodes a single picture."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from praxiscope_media._errors import MediaTooLargeError, MediaUnreadableError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0..SOF15 without the three that mean something else (ITU T.81, table B.1)."""


def decode_image(encoded: bytes, *, max_pixels: int) -> NDArray[np.uint8]:
    """Decodes a JPEG or PNG picture, upright as its EXIF data says.

    The size is read from the header first, so that a small file cannot make the decoder take much memory.

    Args:
        encoded: The file's bytes.
        max_pixels: A picture with more is refused.

    Returns:
        (H, W, 3) RGB.

    Raises:
        MediaUnreadableError: Not a JPEG or PNG picture, or a broken one.
        MediaTooLargeError: Too many pixels.
    """
    size = _header_size(encoded)
    if size is None:
        raise MediaUnreadableError("the bytes are not a JPEG or PNG picture")
    width_px, height_px = size
    if width_px * height_px > max_pixels:
        raise MediaTooLargeError(
            f"the picture is {width_px}x{height_px} pixels, at most {max_pixels} are allowed",
            metadata={"width_px": str(width_px), "height_px": str(height_px)},
        )
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise MediaUnreadableError("the picture is broken")
    return np.asarray(picture, np.uint8)


def _header_size(encoded: bytes) -> tuple[int, int] | None:
    """Width and height from the header, or None when there is none."""
    if encoded.startswith(_PNG_SIGNATURE) and len(encoded) >= 24:
        width_px, height_px = struct.unpack(">II", encoded[16:24])
        return (width_px, height_px) if width_px and height_px else None
    if encoded.startswith(_JPEG_SIGNATURE):
        return _jpeg_size(encoded)
    return None


def _jpeg_size(encoded: bytes) -> tuple[int, int] | None:
    """Walks the segments up to the first frame header."""
    position = 2
    while position + 9 <= len(encoded):
        if encoded[position] != 0xFF:
            return None
        marker = encoded[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        (length,) = struct.unpack(">H", encoded[position + 2 : position + 4])
        if marker in _JPEG_FRAME_MARKERS:
            height_px, width_px = struct.unpack(">HH", encoded[position + 5 : position + 9])
            return (width_px, height_px) if width_px and height_px else None
        position += 2 + length
    return None
