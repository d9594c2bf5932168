"""Decoding single pictures."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import pytest

import praxiscope_media
from praxiscope_media import MediaTooLargeError, MediaUnreadableError, decode_image

LEFT_RED = np.zeros((30, 40, 3), np.uint8)
LEFT_RED[:, :20, 0] = 255


def encode(name: str) -> bytes:
    return cv2.imencode(name, LEFT_RED[..., ::-1])[1].tobytes()


@pytest.mark.parametrize("name", [".png", ".jpg"])
def test_a_picture_is_decoded_as_rgb(name: str) -> None:
    picture = decode_image(encode(name), max_pixels=1200)
    assert picture.shape == (30, 40, 3)
    assert picture[15, 5, 0] > 230
    assert picture[15, 5, 2] < 30
    assert picture[15, 35].max() < 30


@pytest.mark.parametrize("name", [".png", ".jpg"])
def test_too_many_pixels_are_refused(name: str) -> None:
    with pytest.raises(MediaTooLargeError):
        decode_image(encode(name), max_pixels=1199)


def test_a_bomb_is_refused_by_its_header() -> None:
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 60_000, 60_000)
    with pytest.raises(MediaTooLargeError):
        decode_image(bomb, max_pixels=10_000_000)


@pytest.mark.parametrize(
    "encoded", [b"", b"GIF89a", b"\xff\xd8\xff", b"\xff\xd8\xff\xc0\x00", b"text", encode(".png")[:40]]
)
def test_what_is_no_picture_is_refused(encoded: bytes) -> None:
    with pytest.raises(MediaUnreadableError):
        decode_image(encoded, max_pixels=1200)


def test_exif_rotation_is_applied() -> None:
    jpeg = encode(".jpg")
    orientation_6 = struct.pack("<2sHIHHHIHHI", b"II", 42, 8, 1, 0x0112, 3, 1, 6, 0, 0)
    exif = b"Exif\0\0" + orientation_6
    turned = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    picture = decode_image(turned, max_pixels=1200)
    assert picture.shape == (40, 30, 3)
    assert picture[5, 15, 0] > 230  # the left side went up


def test_the_public_names_are_sorted_and_there() -> None:
    assert praxiscope_media.__all__ == sorted(praxiscope_media.__all__)
    assert all(hasattr(praxiscope_media, name) for name in praxiscope_media.__all__)
