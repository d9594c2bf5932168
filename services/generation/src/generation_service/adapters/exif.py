"""What a photo's EXIF data say of the camera: which way up it was, and how long its lens is.

Source: CIPA DC-008 (Exif 2.32), sections 4.6.2 (orientation) and 4.6.5 (focal lengths); TIFF 6.0, section 2 (the directory).
Broken or hostile data say nothing, and cost nothing: no offset is followed out of the block, and no directory twice.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ORIENTATION, _EXIF_DIRECTORY, _FOCAL_35MM = 0x0112, 0x8769, 0xA405
_FOCAL_LENGTH, _PLANE_X_RESOLUTION, _PLANE_UNIT, _PIXEL_X = 0x920A, 0xA20E, 0xA210, 0xA002
_SHORT, _LONG, _RATIONAL = 3, 4, 5
# Millimetres a unit of the focal plane's resolution: inch, centimetre.
_UNIT_MM = {2: 25.4, 3: 10.0}
_FILM_DIAGONAL_MM = 43.266615305567875  # of 36 mm x 24 mm, which the equivalent length refers to
_MAX_ENTRIES = 512
_MAX_SEGMENTS = 64


@dataclass(frozen=True, kw_only=True)
class Exif:
    """What is said of the camera.

    Attributes:
        orientation: 1 to 8 as EXIF has it; 1 is upright.
        focal_diagonals: Focal length in diagonals of the picture, which no turn and no smaller size changes; None where it is not said.
    """

    orientation: int
    focal_diagonals: float | None


def read_exif(encoded: bytes, *, width_px: int, height_px: int) -> Exif:
    """Reads the data of a JPEG, PNG or WebP picture.

    Args:
        encoded: The file's bytes.
        width_px: Width as stored.
        height_px: Height as stored.
    """
    block = _block_of(encoded)
    tags = _tags_of(block) if block else {}
    orientation = tags.get(_ORIENTATION, 1)
    diagonal_px = (width_px**2 + height_px**2) ** 0.5
    return Exif(
        orientation=int(orientation) if orientation in range(1, 9) else 1,
        focal_diagonals=_believable(_focal_diagonals(tags, width_px, diagonal_px)),
    )


def _focal_diagonals(tags: dict[int, float], width_px: int, diagonal_px: float) -> float | None:
    if equivalent_mm := tags.get(_FOCAL_35MM):
        return equivalent_mm / _FILM_DIAGONAL_MM
    focal_mm, resolution = tags.get(_FOCAL_LENGTH), tags.get(_PLANE_X_RESOLUTION)
    unit_mm = _UNIT_MM.get(int(tags.get(_PLANE_UNIT, 2)))
    if focal_mm and resolution and unit_mm:
        # Pixels of the picture as it was taken; it may have been made smaller since.
        shrink = width_px / tags[_PIXEL_X] if tags.get(_PIXEL_X) else 1.0
        return focal_mm * resolution / unit_mm * shrink / diagonal_px
    return None


def _believable(focal_diagonals: float | None) -> float | None:
    """No lens is shorter than 4 mm or longer than 1,000 mm on film; a header that says so is wrong."""
    return focal_diagonals if focal_diagonals is not None and 0.1 < focal_diagonals < 25 else None


def _block_of(encoded: bytes) -> bytes:
    """The TIFF block; empty where there is none."""
    if encoded.startswith(b"\xff\xd8"):
        return _jpeg_block(encoded)
    if encoded.startswith(b"\x89PNG"):
        return _chunk(encoded, 8, ">", b"eXIf", has_checksum=True)
    if encoded[:4] == b"RIFF":
        block = _chunk(encoded, 12, "<", b"EXIF", has_checksum=False)
        return block.removeprefix(b"Exif\0\0")
    return b""


def _jpeg_block(encoded: bytes) -> bytes:
    position = 2
    for _ in range(_MAX_SEGMENTS):
        if position + 4 > len(encoded) or encoded[position] != 0xFF or encoded[position + 1] == 0xDA:
            return b""
        (length,) = struct.unpack_from(">H", encoded, position + 2)
        content = encoded[position + 4 : position + 2 + length]
        if encoded[position + 1] == 0xE1 and content[:6] == b"Exif\0\0":
            return content[6:]
        position += 2 + length
    return b""


def _chunk(encoded: bytes, position: int, byte_order: str, name: bytes, *, has_checksum: bool) -> bytes:
    """The content of a chunk of PNG or RIFF."""
    for _ in range(_MAX_SEGMENTS):
        if position + 8 > len(encoded):
            return b""
        if has_checksum:
            length, found = struct.unpack_from(f"{byte_order}I4s", encoded, position)
        else:
            found, length = struct.unpack_from(f"{byte_order}4sI", encoded, position)
        if found == name:
            return encoded[position + 8 : position + 8 + length]
        position += 8 + length + (4 if has_checksum else length % 2)
    return b""


def _tags_of(block: bytes) -> dict[int, float]:
    byte_order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if byte_order is None or len(block) < 8:
        return {}
    tags = _directory(block, struct.unpack_from(f"{byte_order}I", block, 4)[0], byte_order)
    if _EXIF_DIRECTORY in tags:
        tags = {**_directory(block, int(tags[_EXIF_DIRECTORY]), byte_order), **tags}
    return tags


def _directory(block: bytes, offset: int, byte_order: str) -> dict[int, float]:
    if offset + 2 > len(block):
        return {}
    (count,) = struct.unpack_from(f"{byte_order}H", block, offset)
    tags: dict[int, float] = {}
    for i_entry in range(min(count, _MAX_ENTRIES)):
        position = offset + 2 + 12 * i_entry
        if position + 12 > len(block):
            break
        tag, kind, _, value = struct.unpack_from(f"{byte_order}HHII", block, position)
        if kind == _SHORT:
            tags[tag] = struct.unpack_from(f"{byte_order}H", block, position + 8)[0]
        elif kind == _LONG:
            tags[tag] = value
        elif kind == _RATIONAL and value + 8 <= len(block):
            top, bottom = struct.unpack_from(f"{byte_order}II", block, value)
            if bottom:
                tags[tag] = top / bottom
    return tags
