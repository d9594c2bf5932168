"""Photos from files, zips and videos: upright, bounded, refused by name."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from generation_service.adapters.exif import read_exif
from generation_service.adapters.photos import (
    Photo,
    PhotoArchiveError,
    PhotoLimits,
    PhotoReader,
    RefusalReason,
    sharpness_of,
)
from praxiscope_media import VideoCodec, VideoEncoding, VideoInfo, VideoWriter, read_image_header


def scene(seed: int, *, width_px: int = 320, height_px: int = 240) -> np.ndarray:
    """A picture of blobs; different seeds look different."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width_px, height_px), interpolation=cv2.INTER_CUBIC), np.uint8)


def encode(picture: np.ndarray, ending: str = ".jpg", *parameters: int) -> bytes:
    return cv2.imencode(ending, picture[..., ::-1], list(parameters))[1].tobytes()


def exif_block(*, orientation: int = 1, focal_35mm: int | None = None, byte_order: str = "<") -> bytes:
    """A TIFF block with two directories."""
    mark = b"II" if byte_order == "<" else b"MM"
    entries = struct.pack(f"{byte_order}HHIHH", 0x0112, 3, 1, orientation, 0)
    inner = b"" if focal_35mm is None else struct.pack(f"{byte_order}HHIHH", 0xA405, 3, 1, focal_35mm, 0)
    start = 8 + 2 + 24 + 4
    entries += struct.pack(f"{byte_order}HHII", 0x8769, 4, 1, start)
    head = mark + struct.pack(f"{byte_order}HI", 42, 8) + struct.pack(f"{byte_order}H", 2) + entries
    count = 0 if focal_35mm is None else 1
    return head + bytes(4) + struct.pack(f"{byte_order}H", count) + inner + bytes(4)


def with_exif(jpeg: bytes, block: bytes) -> bytes:
    content = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(content) + 2) + content + jpeg[2:]


def read(files: dict[str, bytes], limits: PhotoLimits | None = None) -> tuple[list[Photo], dict[str, RefusalReason]]:
    reader = PhotoReader(limits)
    photos = list(reader.files(files.items()))
    return photos, {item.name: item.reason for item in reader.refusals}


def zipped(files: dict[str, bytes]) -> io.BytesIO:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    target.seek(0)
    return target


@pytest.mark.parametrize("ending", [".jpg", ".png", ".webp"])
def test_pictures_of_each_format_are_read(ending: str) -> None:
    picture = scene(1)
    (photo,), refused = read({"a": encode(picture, ending)})
    assert refused == {}
    assert photo.picture_rgb.shape == (240, 320, 3)
    assert np.abs(photo.picture_rgb.astype(int) - picture).mean() < 3
    assert photo.focal_px is None


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(orientation: int, byte_order: str) -> None:
    upright = scene(2)
    # How the upright picture is stored for each orientation: the inverse of what a reader must do (EXIF's table 6).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 1)[:, ::-1],
        8: np.rot90(upright, -1),
    }[orientation]
    block = exif_block(orientation=orientation, byte_order=byte_order)
    (photo,), _ = read({"a.jpg": with_exif(encode(np.ascontiguousarray(stored)), block)})
    assert photo.picture_rgb.shape == upright.shape
    assert np.abs(photo.picture_rgb.astype(int) - upright).mean() < 4


def test_the_focal_length_follows_the_working_size() -> None:
    # 26 mm on film: a diagonal of 43.27 mm sees it 0.601 diagonals away.
    encoded = with_exif(encode(scene(3, width_px=800, height_px=600)), exif_block(focal_35mm=26, orientation=6))
    for side_px in (800, 200):
        (photo,), _ = read({"a.jpg": encoded}, PhotoLimits(working_side_px=side_px))
        assert photo.picture_rgb.shape == (side_px, side_px * 3 // 4, 3)
        assert photo.focal_px == pytest.approx(26 / 43.2666 * side_px * 1.25, rel=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_broken_exif_says_nothing_and_breaks_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(50):
        block = bytearray(exif_block(focal_35mm=26))
        for _ in range(int(rng.integers(1, 6))):
            block[int(rng.integers(len(block)))] = int(rng.integers(256))
        found = read_exif(
            with_exif(b"\xff\xd8\xff\xd9", bytes(block[: int(rng.integers(len(block) + 1))])), width_px=4, height_px=3
        )
        assert 1 <= found.orientation <= 8
        assert found.focal_diagonals is None or 0.1 < found.focal_diagonals < 25


def test_mixed_sizes_stay_mixed_and_large_ones_are_made_smaller() -> None:
    files = {"a.jpg": encode(scene(4)), "b.png": encode(scene(5, width_px=500, height_px=1000), ".png")}
    photos, _ = read(files, PhotoLimits(working_side_px=400))
    assert [photo.picture_rgb.shape for photo in photos] == [(240, 320, 3), (400, 200, 3)]


def test_what_is_no_photo_is_refused_by_name() -> None:
    picture = encode(scene(6))
    files = {
        "good.jpg": picture,
        "text.jpg": b"hello",
        "empty": b"",
        "cut.png": encode(scene(7), ".png")[:500],
        "copy.jpg": picture,
        "again.png": encode(
            np.asarray(cv2.resize(scene(6), (200, 150), interpolation=cv2.INTER_AREA), np.uint8), ".png"
        ),
        "tiny.png": encode(scene(8, width_px=40, height_px=40), ".png"),
        "archive.zip": zipped({"a.jpg": picture}).getvalue(),
    }
    photos, refused = read(files)
    assert [photo.name for photo in photos] == ["good.jpg"]
    assert refused == {
        "text.jpg": RefusalReason.NOT_A_PICTURE,
        "empty": RefusalReason.NOT_A_PICTURE,
        "cut.png": RefusalReason.NOT_A_PICTURE,
        "copy.jpg": RefusalReason.DUPLICATE,
        "again.png": RefusalReason.NEAR_DUPLICATE,
        "tiny.png": RefusalReason.TOO_SMALL,
        "archive.zip": RefusalReason.NOT_A_PICTURE,
    }


def test_more_photos_than_allowed_are_refused_by_name() -> None:
    photos, refused = read({str(seed): encode(scene(seed)) for seed in range(5)}, PhotoLimits(max_photos=3))
    assert len(photos) == 3
    assert refused == {"3": RefusalReason.TOO_MANY, "4": RefusalReason.TOO_MANY}


def test_a_hundred_megapixels_are_decoded_small() -> None:
    large = np.zeros((10_000, 10_000), np.uint8)
    large[::7] = 200
    large[:, :5000] = 90
    encoded = cv2.imencode(".jpg", large)[1].tobytes()
    (photo,), _ = read({"large.jpg": encoded})
    assert photo.picture_rgb.shape == (1600, 1600, 3)
    assert read_image_header(encoded).width_px == 10_000


def test_headers_that_lie_about_their_size_are_refused_before_they_cost_anything() -> None:
    png = bytearray(encode(scene(1), ".png"))
    png[16:24] = struct.pack(">II", 60_000, 60_000)
    webp = bytearray(encode(scene(1), ".webp", cv2.IMWRITE_WEBP_QUALITY, 101))
    assert webp[12:16] == b"VP8L"
    webp[21:25] = struct.pack("<I", 0x3FFF | 0x3FFF << 14)
    tracemalloc.start()
    try:
        _, refused = read({"a.png": bytes(png), "a.webp": bytes(webp)})
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert refused == {"a.png": RefusalReason.TOO_LARGE, "a.webp": RefusalReason.TOO_LARGE}
    assert peak_bytes < 4 << 20


def test_a_zip_of_photos_is_read_in_the_order_of_names() -> None:
    files = {
        "in/b.jpg": encode(scene(1)),
        "in/a.jpg": encode(scene(2)),
        "__MACOSX/in/._a.jpg": b"x",
        "in/.DS_Store": b"x",
    }
    reader = PhotoReader()
    assert [photo.name for photo in reader.archive(zipped({**files, "notes.txt": b"x"}))] == ["in/a.jpg", "in/b.jpg"]
    assert [item.name for item in reader.refusals] == ["notes.txt"]


def test_zip_bombs_are_stopped() -> None:
    bomb = zipped({"a.jpg": bytes(64 << 20), "b.jpg": bytes(64 << 20)})
    tracemalloc.start()
    try:
        with pytest.raises(PhotoArchiveError, match="unpacks to more than"):
            list(PhotoReader(PhotoLimits(max_archive_bytes=4 << 20)).archive(bomb))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16 << 20
    large, refused = PhotoReader(PhotoLimits(max_file_bytes=1 << 20)), {}
    assert list(large.archive(zipped({"a.jpg": bytes(8 << 20)}))) == []
    refused = {item.reason for item in large.refusals}
    assert refused == {RefusalReason.TOO_LARGE}
    with pytest.raises(PhotoArchiveError, match="at most 3"):
        list(PhotoReader(PhotoLimits(max_archive_files=3)).archive(zipped({str(i): b"" for i in range(4)})))


# Named, for a zip carries the second it was made in and all of xdist's workers must collect the same tests.
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"PK\x03\x04 nonsense", id="only_the_first_bytes"),
        pytest.param(zipped({"a": b"1"}).getvalue()[:-30], id="without_its_end"),
    ],
)
def test_what_is_no_zip_is_told_so(data: bytes) -> None:
    with pytest.raises(PhotoArchiveError):
        list(PhotoReader().archive(io.BytesIO(data)))


def _video(path: Path, pictures: list[np.ndarray]) -> None:
    info = VideoInfo(
        width_px=320,
        height_px=240,
        frame_count=len(pictures),
        duration_s=len(pictures) / 10,
        average_rate_hz=Fraction(10),
        rotation_deg=0,
        codec="vp9",
        has_audio=False,
    )
    with VideoWriter.open(path, info, VideoEncoding(codec=VideoCodec.VP9, constant_quality=10)) as writer:
        for i_frame, picture in enumerate(pictures):
            writer.write(picture, Fraction(i_frame, 10))


def test_the_sharpest_frame_of_each_window_is_taken(tmp_path: Path) -> None:
    # Forty frames, of which every tenth is sharp.
    pictures = [scene(i // 10 + 20) for i in range(40)]
    rng = np.random.default_rng(0)
    noise = np.asarray(cv2.resize(rng.integers(0, 120, (60, 80, 3)).astype(np.uint8), (320, 240)), np.uint8)
    pictures = [cv2.add(picture, noise) for picture in pictures]
    frames = [picture if i % 10 == 4 else cv2.GaussianBlur(picture, (0, 0), 4) for i, picture in enumerate(pictures)]
    _video(tmp_path / "a.webm", [np.asarray(frame, np.uint8) for frame in frames])
    reader = PhotoReader()
    with (tmp_path / "a.webm").open("rb") as file:
        photos = list(reader.video(file, wanted_count=4))
    assert [round(photo.offset_s or 0, 1) for photo in photos] == [0.4, 1.4, 2.4, 3.4]
    assert reader.refusals == []


def test_a_video_that_stands_still_gives_one_photo(tmp_path: Path) -> None:
    _video(tmp_path / "a.webm", [scene(1)] * 20)
    reader = PhotoReader()
    with (tmp_path / "a.webm").open("rb") as file:
        assert len(list(reader.video(file, wanted_count=5))) == 1
    assert {item.reason for item in reader.refusals} == {RefusalReason.NEAR_DUPLICATE}


def test_blur_lowers_sharpness() -> None:
    rng = np.random.default_rng(1)
    sharp = rng.integers(0, 256, (240, 320, 3)).astype(np.uint8)
    assert sharpness_of(np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2), np.uint8)) < 0.1 * sharpness_of(sharp)
