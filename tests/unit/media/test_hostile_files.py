"""Files that lie: each ends as what it is or as a typed error, at a bounded cost. `fuzz/corpus` holds those that once did not."""

import io
import resource
import struct
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from fuzz.media_files import CORPUS
from praxiscope_common.errors import InvalidInputError
from praxiscope_media import (
    MediaTooLargeError,
    MediaUnreadableError,
    VideoCodec,
    VideoEncoding,
    VideoSource,
    VideoWriter,
    decode_image,
)

VIDEOS = sorted((CORPUS / "video").iterdir())
PICTURES = sorted((CORPUS / "picture").iterdir())


@pytest.mark.parametrize("start_frame", [0, 3])
@pytest.mark.parametrize("path", VIDEOS, ids=lambda path: path.name)
def test_a_broken_video_is_read_as_far_as_it_goes_or_refused(path: Path, start_frame: int) -> None:
    try:
        with VideoSource.open(io.BytesIO(path.read_bytes())) as source:
            assert source.info.average_rate_hz > 0
            assert source.info.frame_count >= 0
            offsets = [frame.offset_s for frame in source.frames(start_frame=start_frame)]
    except InvalidInputError:
        return
    assert offsets == sorted(set(offsets))


@pytest.mark.parametrize("path", VIDEOS, ids=lambda path: path.name)
def test_a_broken_video_can_be_drawn_over_where_it_can_be_read(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    try:
        with VideoSource.open(io.BytesIO(content)) as source:
            info, target = source.info, tmp_path / "out.mp4"
            sound = io.BytesIO(content) if info.has_audio else None
            with VideoWriter.open(target, info, VideoEncoding(codec=VideoCodec.H264), audio_from=sound) as writer:
                written_count = 0
                for frame in source.frames():
                    writer.write(frame.rgb(), frame.offset)
                    written_count += 1
    except InvalidInputError:
        return
    with av.open(str(target)) as written:
        assert sum(1 for _ in written.decode(video=0)) == written_count


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_a_broken_picture_is_refused_before_it_costs_memory(path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidInputError):
        decode_image(path.read_bytes(), max_pixels=1_000_000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 << 10, "KiB"


def test_a_size_cannot_be_hidden_behind_a_marker_without_a_length() -> None:
    """TEM has no length; whoever reads one jumps over the size that the decoder sees, to another that the file offers."""
    large = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 50_000, 50_000, 3) + b"\x01\x11\x00\x02\x11\x01\x03\x11\x01"
    small = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, 8, 8, 3) + b"\x01\x11\x00\x02\x11\x01\x03\x11\x01"
    head = b"\xff\xd8\xff\x01" + large
    hidden = head + b"\x00" * (2 + 2 + 0xFFC0 - len(head)) + small
    with pytest.raises(MediaTooLargeError):
        decode_image(hidden, max_pixels=1_000_000)


def test_a_picture_of_thousands_of_scans_is_refused() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    jpeg = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert decode_image(jpeg, max_pixels=4096).shape == (64, 64, 3)
    scan = jpeg[jpeg.rindex(b"\xff\xda") : -2]
    with pytest.raises(MediaUnreadableError):
        decode_image(jpeg[:-2] + scan * 5000 + jpeg[-2:], max_pixels=4096)


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT"])
def test_a_png_whose_chunk_says_more_than_there_is_is_refused(name: bytes) -> None:
    png = bytearray(cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    place = png.index(name) - 4
    png[place : place + 4] = struct.pack(">I", 0x7FFFFFFF)
    with pytest.raises(MediaUnreadableError):
        decode_image(bytes(png), max_pixels=4096)
