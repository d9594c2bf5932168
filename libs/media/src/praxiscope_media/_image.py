"""Decodes a single picture."""

from __future__ import annotations

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from praxiscope_media._errors import MediaTooLargeError, MediaUnreadableError

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PNG_FIRST_CHUNK = b"\x00\x00\x00\rIHDR"
_JPEG_SIGNATURE = b"\xff\xd8\xff"
_JPEG_FRAME_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""SOF0..SOF15 without the three that mean something else (ITU T.81, table B.1)."""
_JPEG_BARE_MARKERS = frozenset({0x01, *range(0xD0, 0xD8)})
"""TEM and RST0..RST7: no length follows them (ITU T.81, B.1.1.4)."""
_JPEG_SCAN = b"\xff\xda"
_MAX_JPEG_SCANS = 200
"""Each scan of a progressive picture costs a pass over all its pixels, however few bytes it has; encoders write ten."""


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
    if encoded.startswith(_PNG_SIGNATURE) and not _is_whole_png(encoded):
        raise MediaUnreadableError("the picture is broken")
    try:
        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error as error:
        raise MediaUnreadableError("the picture is broken") from error
    if picture is None:
        raise MediaUnreadableError("the picture is broken")
    return np.asarray(picture, np.uint8)


def _header_size(encoded: bytes) -> tuple[int, int] | None:
    """Width and height from the header, or None when there is none."""
    if encoded.startswith(_PNG_SIGNATURE):
        return _png_size(encoded)
    if encoded.startswith(_JPEG_SIGNATURE) and encoded.count(_JPEG_SCAN) <= _MAX_JPEG_SCANS:
        return _jpeg_size(encoded)
    return None


def _png_size(encoded: bytes) -> tuple[int, int] | None:
    if len(encoded) < 24 or encoded[8:16] != _PNG_FIRST_CHUNK:
        return None
    width_px, height_px = struct.unpack(">II", encoded[16:24])
    return (width_px, height_px) if width_px and height_px else None


def _is_whole_png(encoded: bytes) -> bool:
    """Walks the chunks to the last: the decoder takes as much memory as a chunk says it has bytes."""
    position = len(_PNG_SIGNATURE)
    while position + 12 <= len(encoded):  # length, name, checksum
        length, name = struct.unpack(">I4s", encoded[position : position + 8])
        position += 12 + length
        if name == b"IEND":
            return position <= len(encoded)
    return False


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
        if marker in _JPEG_BARE_MARKERS:
            position += 2
            continue
        (length,) = struct.unpack(">H", encoded[position + 2 : position + 4])
        if marker in _JPEG_FRAME_MARKERS:
            height_px, width_px = struct.unpack(">HH", encoded[position + 5 : position + 9])
            return (width_px, height_px) if width_px and height_px else None
        position += 2 + length
    return None
