"""What people send as photos, into upright pictures of one working size: files, a zip of files, a video.

Pictures come one after another, so that memory holds one of them, however many there are. What is no photo is refused by name, with a reason; the others go
on.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO

import cv2
import numpy as np
from numpy.typing import NDArray

from generation_service.adapters.exif import read_exif
from praxiscope_common.errors import InvalidInputError
from praxiscope_media import (
    Frame,
    MediaLimits,
    MediaTooLargeError,
    MediaUnreadableError,
    VideoSource,
    decode_reduced_image,
    read_image_header,
)

# What zipfile raises over archives that are broken, encrypted (RuntimeError) or compressed in a way it does not know (NotImplementedError).
UNREADABLE_ZIP = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError)
# Side of the grey thumbnails that near duplicates are found by.
_THUMBNAIL_PX = 32
# Grey levels by which thumbnails of one picture, encoded twice or made smaller, differ at most (root mean square, brightness taken out): 0.5 is seen at
# the worst JPEG quality, and the nearest two of fox's 50 photos are 8.9 apart (`make bench PART=poses` prints it).
_SAME_PICTURE_LEVELS = 1.5
# Width that sharpness is measured at: noise of single pixels does not count there.
_SHARPNESS_WIDTH_PX = 480
# How long a window is where a video does not say how many frames it has.
_WINDOW_S = 0.5


class RefusalReason(StrEnum):
    """Why a file is no photo here."""

    NOT_A_PICTURE = "NOT_A_PICTURE"
    TOO_LARGE = "TOO_LARGE"
    TOO_SMALL = "TOO_SMALL"
    DUPLICATE = "DUPLICATE"
    NEAR_DUPLICATE = "NEAR_DUPLICATE"
    TOO_MANY = "TOO_MANY"


class PhotoArchiveError(InvalidInputError):
    """The archive of photos cannot be unpacked; send a plain zip without a password."""

    reason = "PHOTO_ARCHIVE_INVALID"


@dataclass(frozen=True, kw_only=True)
class PhotoLimits:
    """What a set of photos may cost.

    Attributes:
        max_photos: Of a set; more are refused by name.
        working_side_px: Longer side of the pictures that come out. Poses and worlds gain little from more.
        min_side_px: Shorter side below which nothing can be found in a picture.
        max_file_bytes: Of one photo.
        max_pixels: Of one photo in a format that is decoded at a smaller size (JPEG).
        max_whole_pixels: Of one photo that must be decoded whole (PNG, WebP, progressive JPEG).
        max_archive_files: Entries of a zip that are looked at.
        max_archive_bytes: Of a zip, unpacked.
    """

    max_photos: int = 250
    working_side_px: int = 1600
    min_side_px: int = 64
    max_file_bytes: int = 64 << 20
    max_pixels: int = 250_000_000
    max_whole_pixels: int = 64_000_000
    max_archive_files: int = 4000
    max_archive_bytes: int = 4 << 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Photo:
    """One upright picture.

    Attributes:
        name: As it was sent, or the time in the video.
        picture_rgb: [H, W, 3].
        focal_px: Focal length in pixels of this picture, as EXIF data say; None where they do not.
        offset_s: Time in the video; None for a photo.
    """

    name: str
    picture_rgb: NDArray[np.uint8]
    focal_px: float | None
    offset_s: float | None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One file that is left out.

    Attributes:
        name: As it was sent.
        reason: Why, for programs.
        message: Why, for people.
    """

    name: str
    reason: RefusalReason
    message: str


class PhotoReader:
    """Reads one set of photos. Made for one set; what was refused is known when the photos have been read.

    Args:
        limits: What the set may cost.
        is_posed: Cameras come with the photos: pixels stay where they are stored, whatever EXIF says of up, for the cameras belong to
            them; and photos that look alike are kept.

    Attributes:
        refusals: What was left out so far.
    """

    def __init__(self, limits: PhotoLimits | None = None, *, is_posed: bool = False) -> None:
        """Starts with nothing seen."""
        self._limits, self._is_posed = limits or PhotoLimits(), is_posed
        self._names_by_digest: dict[bytes, str] = {}
        self._thumbnails: list[NDArray[np.float32]] = []
        self._kept_names: list[str] = []
        self._count = 0
        self.refusals: list[Refusal] = []

    def files(self, files: Iterable[tuple[str, bytes]]) -> Iterator[Photo]:
        """Yields the photos among files, in their order.

        Args:
            files: Names and bytes; asked for one after another.
        """
        for name, encoded in files:
            photo = self._photo(name, encoded)
            if photo is not None:
                yield photo

    def archive(self, file: BinaryIO) -> Iterator[Photo]:
        """Yields the photos in a zip, by name. Nothing is unpacked to a disk, and no more than the limits say to memory.

        Raises:
            PhotoArchiveError: It is no zip, is broken or encrypted, or holds too much.
        """
        try:
            with zipfile.ZipFile(file) as archive:
                yield from self.files(self._entries(archive))
        except UNREADABLE_ZIP as error:
            raise PhotoArchiveError(f"the zip cannot be unpacked: {str(error)[:120]}") from error

    def video(self, file: BinaryIO, *, wanted_count: int, media_limits: MediaLimits | None = None) -> Iterator[Photo]:
        """Yields the sharpest frame of each of so many equal windows of a video, in order of time.

        Where the header does not say how long the video is, windows are half a second, and there may be more or fewer.

        Args:
            file: The video, seekable.
            wanted_count: Windows; at most the limit of photos.
            media_limits: What the video may cost.

        Raises:
            MediaUnreadableError: And the other errors of `VideoSource`: it cannot be read.
        """
        wanted_count = max(1, min(wanted_count, self._limits.max_photos))
        with VideoSource.open(file, limits=media_limits) as source:
            frame_count = source.info.frame_count
            best: tuple[float, Photo] | None = None
            i_window = 0
            for frame in source.frames():
                i_frame_window = (
                    frame.index * wanted_count // frame_count if frame_count else int(frame.offset_s / _WINDOW_S)
                )
                if i_frame_window != i_window:
                    if best is not None and not self._is_full(best[1].name) and self._keep(best[1]):
                        yield best[1]
                    best, i_window = None, i_frame_window
                sharpness = _frame_sharpness(frame)
                if best is None or sharpness > best[0]:
                    best = sharpness, self._photo_of(frame)
            if best is not None and not self._is_full(best[1].name) and self._keep(best[1]):
                yield best[1]

    def _entries(self, archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
        limits = self._limits
        entries = sorted(
            (entry for entry in archive.infolist() if not _is_hidden(entry)), key=lambda entry: entry.filename
        )
        if len(entries) > limits.max_archive_files:
            raise PhotoArchiveError(
                f"the zip holds {len(entries)} files; at most {limits.max_archive_files} are allowed",
                metadata={"count": str(len(entries))},
            )
        left_bytes = limits.max_archive_bytes
        for entry in entries:
            with archive.open(entry) as opened:
                # What the header says of the size is not believed: never more than one byte over the limit is unpacked.
                encoded = opened.read(min(limits.max_file_bytes, left_bytes) + 1)
            left_bytes -= len(encoded)
            if left_bytes < 0:
                raise PhotoArchiveError(
                    f"the zip unpacks to more than {limits.max_archive_bytes} bytes",
                    metadata={"max_bytes": str(limits.max_archive_bytes)},
                )
            yield entry.filename, encoded

    def _photo(self, name: str, encoded: bytes) -> Photo | None:
        limits = self._limits
        if self._is_full(name):
            return None
        if len(encoded) > limits.max_file_bytes:
            return self._refuse(name, RefusalReason.TOO_LARGE, f"the file has more than {limits.max_file_bytes} bytes")
        digest = hashlib.sha256(encoded).digest()
        if digest in self._names_by_digest and not self._is_posed:
            return self._refuse(name, RefusalReason.DUPLICATE, f"the same file as {self._names_by_digest[digest][:80]}")
        self._names_by_digest[digest] = name
        try:
            header = read_image_header(encoded)
            if min(header.width_px, header.height_px) < limits.min_side_px:
                message = (
                    f"{header.width_px}x{header.height_px} pixels; at least {limits.min_side_px} a side are needed"
                )
                return self._refuse(name, RefusalReason.TOO_SMALL, message)
            picture = decode_reduced_image(
                encoded,
                max_side_px=limits.working_side_px,
                max_pixels=limits.max_pixels,
                max_whole_pixels=limits.max_whole_pixels,
            )
        except MediaTooLargeError as error:
            return self._refuse(name, RefusalReason.TOO_LARGE, error.message)
        except MediaUnreadableError as error:
            return self._refuse(name, RefusalReason.NOT_A_PICTURE, error.message)
        exif = read_exif(encoded, width_px=header.width_px, height_px=header.height_px)
        upright = picture if self._is_posed else _upright(picture, exif.orientation)
        diagonal_px = float(np.hypot(*upright.shape[:2]))
        focal_px = None if exif.focal_diagonals is None else exif.focal_diagonals * diagonal_px
        photo = Photo(name=name, picture_rgb=upright, focal_px=focal_px, offset_s=None)
        return photo if self._keep(photo) else None

    def _photo_of(self, frame: Frame) -> Photo:
        scale = min(1.0, self._limits.working_side_px / max(frame.width_px, frame.height_px))
        size = max(1, round(frame.width_px * scale)), max(1, round(frame.height_px * scale))
        picture = frame.rgb() if scale == 1 else frame.resized_rgb(*size)
        name = f"{frame.offset_s:.3f} s"
        return Photo(name=name, picture_rgb=picture, focal_px=None, offset_s=frame.offset_s)

    def _keep(self, photo: Photo) -> bool:
        """Whether the picture is new; it is remembered where it is."""
        if self._is_posed:
            self._count += 1
            return True
        thumbnail = thumbnail_of(photo.picture_rgb)
        for other, other_name in zip(self._thumbnails, self._kept_names, strict=True):
            if float(np.sqrt(np.mean((thumbnail - other) ** 2))) < _SAME_PICTURE_LEVELS:
                self._refuse(photo.name, RefusalReason.NEAR_DUPLICATE, f"it looks the same as {other_name[:80]}")
                return False
        self._count += 1
        self._thumbnails.append(thumbnail)
        self._kept_names.append(photo.name)
        return True

    def _is_full(self, name: str) -> bool:
        if self._count < self._limits.max_photos:
            return False
        self._refuse(name, RefusalReason.TOO_MANY, f"{self._limits.max_photos} photos are taken at most")
        return True

    def _refuse(self, name: str, reason: RefusalReason, message: str) -> None:
        self.refusals.append(Refusal(name=name, reason=reason, message=message))


def sharpness_of(picture: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the grey picture at a fixed width: higher is sharper. Compares pictures of one scene, nothing else.

    Source: J. L. Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    if grey.shape[1] > _SHARPNESS_WIDTH_PX:
        height_px = max(1, round(grey.shape[0] * _SHARPNESS_WIDTH_PX / grey.shape[1]))
        grey = cv2.resize(grey, (_SHARPNESS_WIDTH_PX, height_px), interpolation=cv2.INTER_AREA)
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def _frame_sharpness(frame: Frame) -> float:
    width_px = min(frame.width_px, _SHARPNESS_WIDTH_PX)
    return sharpness_of(frame.resized_rgb(width_px, max(1, round(frame.height_px * width_px / frame.width_px))))


def thumbnail_of(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The small grey picture that near duplicates are found by, its brightness taken out."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_THUMBNAIL_PX, _THUMBNAIL_PX), interpolation=cv2.INTER_AREA).astype(np.float32)
    return small - small.mean()


def _upright(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turns and mirrors a picture as EXIF's eight orientations say."""
    if orientation in {5, 6, 7, 8}:  # rows are columns
        picture = picture.transpose(1, 0, 2)
    if orientation in {2, 3, 6, 7}:
        picture = picture[:, ::-1]
    if orientation in {3, 4, 7, 8}:
        picture = picture[::-1]
    return np.ascontiguousarray(picture)


def _is_hidden(entry: zipfile.ZipInfo) -> bool:
    """Folders, and what file systems leave in archives."""
    parts = entry.filename.split("/")
    return entry.is_dir() or parts[0] == "__MACOSX" or parts[-1].startswith(".") or parts[-1] == "Thumbs.db"
