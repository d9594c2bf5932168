"""Videos, sounds and pictures that are made here, and what becomes of them when their headers lie."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import av
import cv2
import numpy as np

from fuzz import values

CORPUS = Path(__file__).parent / "corpus"
_RATE_HZ = 30
_SIDE_PX = 64
# Container, codec, pixel format.
_FORMATS = {
    "mp4": ("mp4", "libx264", "yuv420p"),
    "fragments": ("mp4", "libx264", "yuv420p"),
    "webm": ("webm", "libvpx-vp9", "yuv420p"),
    "mkv": ("matroska", "libx264", "yuv420p"),
    "mov": ("mov", "mjpeg", "yuvj420p"),
    "ts": ("mpegts", "libx264", "yuv420p"),
    "avi": ("avi", "mpeg4", "yuv420p"),
    "gif": ("gif", "gif", "rgb8"),
}
# Offsets below the box's four letters, and the width of what stands there (ISO 14496-12, version 0 boxes).
_MP4_FIELDS = {
    b"tkhd": (
        (4 + 20, 4),
        (4 + 76, 4),
        (4 + 80, 4),
        (4 + 40, 4),
        (4 + 44, 4),
        (4 + 56, 4),
    ),  # duration, width, height, matrix
    b"mvhd": ((4 + 12, 4), (4 + 16, 4)),  # time scale, duration
    b"mdhd": ((4 + 12, 4), (4 + 16, 4)),
    b"stts": ((4 + 4, 4), (4 + 8, 4), (4 + 12, 4)),  # entries, samples, duration of each
    b"ctts": ((4 + 4, 4), (4 + 8, 4), (4 + 12, 4)),
    b"stsz": ((4 + 4, 4), (4 + 8, 4), (4 + 12, 4)),  # size of all, count, size of the first
    b"stsc": ((4 + 4, 4), (4 + 8, 4), (4 + 12, 4)),
    b"stco": ((4 + 4, 4), (4 + 8, 4)),
    b"elst": ((4 + 4, 4), (4 + 8, 4), (4 + 12, 4), (4 + 16, 4)),
    b"avc1": ((4 + 24, 2), (4 + 26, 2)),  # width, height
    b"trun": ((4 + 4, 4), (4 + 8, 4)),
    b"tfdt": ((4 + 4, 4),),
    b"hdlr": ((4 + 8, 4),),
}
_NUMBERS = (0, 1, 0x7FFF, 60_000, 0xFFFF, 10**9, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 60_000 << 16)


@cache
def videos() -> Mapping[str, bytes]:
    """Returns one small video of each form, one with sound, and what the corpus keeps."""
    made = {name: _encode(container, codec, pixels, name) for name, (container, codec, pixels) in _FORMATS.items()}
    made["sound"] = _encode_sound()
    made |= {path.name: path.read_bytes() for path in sorted((CORPUS / "video").glob("*"))}
    return made


@cache
def pictures() -> Mapping[str, bytes]:
    """Returns one small picture of each form, and what the corpus keeps."""
    pixels = np.arange(48 * 64 * 3, dtype=np.uint32).reshape(48, 64, 3).astype(np.uint8)
    made = {}
    for name, options in {
        ".png": [],
        ".jpg": [],
        ".progressive.jpg": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        ".restarts.jpg": [cv2.IMWRITE_JPEG_RST_INTERVAL, 2],
    }.items():
        _, encoded = cv2.imencode("." + name.rpartition(".")[2], pixels, options)
        made[name] = encoded.tobytes()
    made |= {path.name: path.read_bytes() for path in sorted((CORPUS / "picture").glob("*"))}
    return made


def broken_video(random: Random) -> bytes:
    """Returns a video that somebody has damaged, or written so."""
    name = random.choice(list(videos()))
    given = videos()[name]
    match random.randrange(6):
        case 0:
            return given[: random.randrange(len(given))]
        case 1:
            return _head_damaged(random, given)
        case 2:
            return values.damaged(random, given, most=60)
        case 3:
            other = videos()[random.choice(list(videos()))]
            return given[: random.randrange(len(given))] + other[random.randrange(len(other)) :]
        case 4:
            return (
                values.octets(random) + given
                if random.random() < 0.2
                else _lying(random, videos()[random.choice(("mp4", "fragments", "mov"))])
            )
        case _:
            return _lying(random, given)


def broken_picture(random: Random) -> bytes:
    """Returns a picture that somebody has damaged, or written so."""
    given = pictures()[random.choice(list(pictures()))]
    match random.randrange(5):
        case 0:
            return given[: random.randrange(len(given))]
        case 1:
            return _head_damaged(random, given)
        case 2:
            return _another_size(random, given)
        case 3:
            place = random.randrange(2, min(len(given), 200))
            return given[:place] + b"\xff" + bytes((random.randrange(256),)) + values.octets(random) + given[place:]
        case _:
            return values.damaged(random, given, most=40)


def _head_damaged(random: Random, given: bytes) -> bytes:
    head = min(len(given), 600)
    return values.damaged(random, given[:head]) + given[head:]


def _lying(random: Random, given: bytes) -> bytes:
    """Returns an MP4 whose boxes say something else than what is there: sizes, times, counts."""
    changed = bytearray(given)
    places = list(_fields_in(given))
    if not places:
        return _head_damaged(random, given)
    for place, width in random.sample(places, min(len(places), random.randint(1, 4))):
        number = random.choice((*_NUMBERS, random.getrandbits(32))) & (1 << 8 * width) - 1
        changed[place : place + width] = number.to_bytes(width, "big")
    return bytes(changed)


def _fields_in(given: bytes) -> Iterator[tuple[int, int]]:
    for letters, fields in _MP4_FIELDS.items():
        place = given.find(letters)
        while place >= 0:
            yield place - 4, 4  # the box's own size
            yield from ((place + offset, width) for offset, width in fields if place + offset + width <= len(given))
            place = given.find(letters, place + 4)


def _another_size(random: Random, given: bytes) -> bytes:
    """Returns a picture whose header says 60,000 pixels, or none, or one more."""
    changed = bytearray(given)
    sides = [random.choice((0, 1, 49, 60_000, 65_535)) for _ in range(2)]
    if given.startswith(b"\x89PNG"):
        changed[16:24] = struct.pack(">II", *(side if side < 65_535 else 0x7FFFFFFF for side in sides))
        changed[29:33] = struct.pack(">I", _crc(bytes(changed[12:29])))
        return bytes(changed)
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        if (place := given.find(marker)) >= 0:
            changed[place + 5 : place + 9] = struct.pack(">HH", *sides)
    return bytes(changed)


def _crc(data: bytes) -> int:
    import zlib

    return zlib.crc32(data)


def _encode(container: str, codec: str, pixels: str, name: str) -> bytes:
    file = io.BytesIO()
    options = {"movflags": "frag_keyframe+empty_moov"} if name == "fragments" else {}
    with av.open(file, "w", format=container, options=options) as output:
        stream: Any = output.add_stream(codec, rate=_RATE_HZ)
        stream.width = stream.height = _SIDE_PX
        stream.pix_fmt = pixels
        if codec == "libx264":
            stream.codec_context.gop_size = 4
            stream.codec_context.options = {"preset": "ultrafast", "tune": "fastdecode"}
        for index in range(10):
            picture = np.full((_SIDE_PX, _SIDE_PX, 3), 20 * index, np.uint8)
            picture[:, : 4 * index + 1] = 255
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, _RATE_HZ)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def _encode_sound() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        video: Any = output.add_stream("libx264", rate=_RATE_HZ)
        video.width = video.height = _SIDE_PX
        video.pix_fmt = "yuv420p"
        sound: Any = output.add_stream("pcm_s16le", rate=8000)
        sound.codec_context.layout = "mono"
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((_SIDE_PX, _SIDE_PX, 3), 50, np.uint8), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, _RATE_HZ)
            output.mux(video.encode(frame))
            heard = av.AudioFrame.from_ndarray(np.zeros((1, 266), np.int16), format="s16", layout="mono")
            heard.sample_rate, heard.pts, heard.time_base = 8000, 266 * index, Fraction(1, 8000)
            output.mux(sound.encode(heard))
        output.mux(video.encode(None))
        output.mux(sound.encode(None))
    return file.getvalue()
