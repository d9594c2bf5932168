"""Decodes a single picture, whole or smaller than it is."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Literal

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


_JPEG_PROGRESSIVE_MARKERS = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_MAX_JPEG_REDUCTION = 8
"""libjpeg decodes at a half, a quarter or an eighth without making the whole picture."""
_REDUCTIONS = {
    1: cv2.IMREAD_COLOR_RGB,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@dataclass(frozen=True, kw_only=True)
class ImageHeader:
    """What a picture's header says.

    Attributes:
        kind: Its format.
        width_px: Width as stored, before EXIF data turns it.
        height_px: Height as stored.
        is_progressive: A JPEG whose coefficients must all be held at once, so that decoding it smaller saves nothing.
    """

    kind: Literal["jpeg", "png", "webp"]
    width_px: int
    height_px: int
    is_progressive: bool


def read_image_header(encoded: bytes) -> ImageHeader:
    """Reads the header of a JPEG, PNG or WebP picture; nothing is decoded.

    Raises:
        MediaUnreadableError: It is none of them, or its header is broken.
    """
    if encoded.startswith(_PNG_SIGNATURE) and (size := _png_size(encoded)):
        return ImageHeader(kind="png", width_px=size[0], height_px=size[1], is_progressive=False)
    if encoded.startswith(_JPEG_SIGNATURE) and encoded.count(_JPEG_SCAN) <= _MAX_JPEG_SCANS:
        if found := _jpeg_frame(encoded):
            marker, width_px, height_px = found
            is_progressive = marker in _JPEG_PROGRESSIVE_MARKERS
            return ImageHeader(kind="jpeg", width_px=width_px, height_px=height_px, is_progressive=is_progressive)
    if encoded[:4] == b"RIFF" and encoded[8:12] == b"WEBP" and (size := _webp_size(encoded)):
        return ImageHeader(kind="webp", width_px=size[0], height_px=size[1], is_progressive=False)
    raise MediaUnreadableError("the bytes are not a JPEG, PNG or WebP picture")


def decode_reduced_image(
    encoded: bytes, *, max_side_px: int, max_pixels: int, max_whole_pixels: int
) -> NDArray[np.uint8]:
    """Decodes a JPEG, PNG or WebP picture no larger than needed, as it is stored: EXIF data does not turn it.

    Args:
        encoded: The file's bytes.
        max_side_px: The longer side of the result; a larger picture is averaged down to it, a smaller one stays.
        max_pixels: A picture with more is refused.
        max_whole_pixels: Likewise where the format makes the decoder hold the whole picture (PNG, WebP, progressive JPEG).

    Returns:
        (H, W, 3) RGB.

    Raises:
        MediaUnreadableError: None of the formats, or broken.
        MediaTooLargeError: Too many pixels.
    """
    header = read_image_header(encoded)
    is_whole = header.kind != "jpeg" or header.is_progressive
    most = max_whole_pixels if is_whole else max_pixels
    if header.width_px * header.height_px > most:
        raise MediaTooLargeError(
            f"the picture is {header.width_px}x{header.height_px} pixels, at most {most} are allowed",
            metadata={"width_px": str(header.width_px), "height_px": str(header.height_px)},
        )
    if header.kind == "png" and not _is_whole_png(encoded):
        raise MediaUnreadableError("the picture is broken")
    side_px = max(header.width_px, header.height_px)
    reduction = 1
    while header.kind == "jpeg" and reduction < _MAX_JPEG_REDUCTION and side_px >= 2 * reduction * max_side_px:
        reduction *= 2
    flags = _REDUCTIONS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    except cv2.error as error:
        raise MediaUnreadableError("the picture is broken") from error
    if picture is None:
        raise MediaUnreadableError("the picture is broken")
    if reduction > 1:  # the reduced flags know no RGB
        picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    scale = max_side_px / max(picture.shape[:2])
    if scale < 1:
        size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8)


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


def _webp_size(encoded: bytes) -> tuple[int, int] | None:
    """Width and height of the three kinds of WebP (Google, "WebP Container Specification")."""
    (announced,) = struct.unpack("<I", encoded[4:8])
    if len(encoded) < 30 or announced + 8 > len(encoded):
        return None
    name = encoded[12:16]
    if name == b"VP8 " and encoded[23:26] == b"\x9d\x01\x2a":
        width_px, height_px = struct.unpack("<HH", encoded[26:30])
        return width_px & 0x3FFF, height_px & 0x3FFF
    if name == b"VP8L" and encoded[20] == 0x2F:
        (bits,) = struct.unpack("<I", encoded[21:25])
        return (bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1
    if name == b"VP8X":
        return 1 + int.from_bytes(encoded[24:27], "little"), 1 + int.from_bytes(encoded[27:30], "little")
    return None


def _jpeg_size(encoded: bytes) -> tuple[int, int] | None:
    found = _jpeg_frame(encoded)
    return found[1:] if found else None


def _jpeg_frame(encoded: bytes) -> tuple[int, int, int] | None:
    """Walks the segments up to the first frame header: its marker, width and height."""
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
            return (marker, width_px, height_px) if width_px and height_px else None
        position += 2 + length
    return None
