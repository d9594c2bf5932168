"""A zip of photos that says where they were taken from: `transforms.json`, or a COLMAP model, beside or above the photos."""

from __future__ import annotations

import posixpath
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from generation_service.adapters.photos import UNREADABLE_ZIP, Photo, PhotoArchiveError, PhotoReader
from generation_service.adapters.posed_input import (
    InputView,
    PosedInput,
    PosedInputError,
    read_colmap_binary,
    read_colmap_text,
    read_transforms,
    undistorted,
)
from generation_service.adapters.posed_pictures import LeftOut, PosedPictures, reduce_view
from generation_service.core.capture import scatter_points
from generation_service.core.types import SparsePoints, View

_TRANSFORMS = "transforms.json"
_MODELS = (("cameras.bin", "images.bin", "points3D.bin"), ("cameras.txt", "images.txt", "points3D.txt"))
# What one file of poses may unpack to.
_MAX_POSES_BYTES = 256 << 20
# Points that are made up where the poses come without any.
_SCATTERED_COUNT = 20_000


@dataclass(frozen=True, kw_only=True)
class PosesFile:
    """Which entries of a zip say where its photos were taken from.

    Attributes:
        folder: Where they lie; empty is the top.
        names: One, or three of which the last may be missing.
    """

    folder: str
    names: tuple[str, ...]


def find_poses_file(file: BinaryIO) -> PosesFile | None:
    """Finds what says where the photos of a zip were taken from; the one nearest to the top, None where there is none.

    Raises:
        PhotoArchiveError: It is no zip.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
    except UNREADABLE_ZIP as error:
        raise PhotoArchiveError(f"the zip cannot be unpacked: {str(error)[:120]}") from error
    folders = sorted({posixpath.dirname(name) for name in names}, key=lambda folder: (folder.count("/"), folder))
    for folder in folders:
        if posixpath.join(folder, _TRANSFORMS) in names:
            return PosesFile(folder=folder, names=(_TRANSFORMS,))
        for model in _MODELS:
            if all(posixpath.join(folder, name) in names for name in model[:2]):
                return PosesFile(folder=folder, names=model)
    return None


def read_posed_archive(
    file: BinaryIO, poses_file: PosesFile, reader: PhotoReader, *, long_side_px: int, seed: int
) -> PosedPictures:
    """Reads photos and the cameras that come with them, at the size that is trained on.

    Args:
        file: The zip.
        poses_file: Its file of poses.
        reader: Reads the photos; made with `is_posed`.
        long_side_px: Longer side that pictures are reduced to.
        seed: For points, where none come with the poses.

    Raises:
        PosedInputError: The file of poses is not what its format says, or none of its photos is in the zip.
        PhotoArchiveError: The zip cannot be unpacked or holds too much.
    """
    posed = _read_poses(file, poses_file)
    views_by_name = _match_names(posed.views, poses_file.folder, _names_of(file))
    names: list[str] = []
    views: list[View] = []
    left_out: list[LeftOut] = []
    for photo in reader.archive(file):
        stated = views_by_name.pop(photo.name, None)
        if stated is None:
            left_out.append(LeftOut(name=photo.name, reason="no pose is given for it"))
            continue
        names.append(photo.name)
        views.append(_view_of(stated, photo, long_side_px))
    own = {posixpath.join(poses_file.folder, name) for name in poses_file.names}
    left_out += [
        LeftOut(name=refusal.name, reason=refusal.message) for refusal in reader.refusals if refusal.name not in own
    ]
    if not views:
        raise PosedInputError(f"none of the {len(posed.views)} photos of {poses_file.names[0]} is in the zip")
    points = SparsePoints(positions_m=posed.points_m, colors_rgb=posed.colors_rgb)
    if not len(points.positions_m):
        points = scatter_points(views, count=_SCATTERED_COUNT, seed=seed)
    return PosedPictures(
        names=tuple(names),
        views=tuple(views),
        points=points,
        picture_count=len(views) + len(left_out),
        left_out=tuple(left_out),
    )


def _read_poses(file: BinaryIO, poses_file: PosesFile) -> PosedInput:
    try:
        with zipfile.ZipFile(file) as archive:
            parts = [_read_entry(archive, posixpath.join(poses_file.folder, name)) for name in poses_file.names]
    except UNREADABLE_ZIP as error:
        raise PhotoArchiveError(f"the zip cannot be unpacked: {str(error)[:120]}") from error
    if poses_file.names == (_TRANSFORMS,):
        return read_transforms(parts[0])
    return read_colmap_binary(*parts) if poses_file.names == _MODELS[0] else read_colmap_text(*parts)


def _read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """Returns an entry's bytes, nothing where it is not there; what its header says of its size is not believed."""
    try:
        opened = archive.open(name)
    except KeyError:
        return b""
    with opened:
        content = opened.read(_MAX_POSES_BYTES + 1)
    if len(content) > _MAX_POSES_BYTES:
        raise PosedInputError(f"{name[:80]!r} unpacks to more than {_MAX_POSES_BYTES} bytes")
    return content


def _names_of(file: BinaryIO) -> Sequence[str]:
    with zipfile.ZipFile(file) as archive:
        return archive.namelist()


def _match_names(views: Sequence[InputView], folder: str, entries: Sequence[str]) -> dict[str, InputView]:
    """Finds each camera's photo: by its path from the file of poses, else by the end of its path, where only one photo has that end.

    COLMAP's paths begin at a folder of photos that its files do not name; the synthetic scenes of NeRF leave out `.png`.
    """
    by_end: dict[str, list[str]] = {}
    for entry in entries:
        parts = entry.split("/")
        for start in range(len(parts)):
            end = "/".join(parts[start:])
            by_end.setdefault(end, []).append(entry)
            by_end.setdefault(posixpath.splitext(end)[0], []).append(entry)
    known, found = set(entries), dict[str, InputView]()
    for view in views:
        path = posixpath.normpath(view.name.replace("\\", "/"))
        beside = posixpath.normpath(posixpath.join(folder, path))
        likely = [beside] if beside in known else by_end.get(path) or by_end.get(posixpath.basename(path)) or []
        if len(likely) == 1 and likely[0] not in found:
            found[likely[0]] = view
    return found


def _view_of(stated: InputView, photo: Photo, long_side_px: int) -> View:
    camera, picture = undistorted(stated, photo.picture_rgb)
    return reduce_view(camera, np.ascontiguousarray(picture), long_side_px=long_side_px)
