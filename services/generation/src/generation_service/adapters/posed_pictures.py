"""Pictures with their cameras and the points seen in them, as one file: what a reconstruction goes on from after a kill."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import cv2
import numpy as np

from generation_service.adapters.structure_from_motion import PosedPhotos
from generation_service.core.capture import fit_size, scale_camera
from generation_service.core.types import SparsePoints, View
from praxiscope_worlds import camera_from_json, camera_json

_JPEG_QUALITY = 95


@dataclass(frozen=True, kw_only=True, eq=False)
class LeftOut:
    """A picture that was not used.

    Attributes:
        name: Its name.
        reason: Why, for a person to read.
    """

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True, eq=False)
class PosedPictures:
    """What was found out about where pictures were taken.

    Attributes:
        names: Of the placed pictures.
        views: These pictures and their cameras, at the size that is trained on.
        points: Points seen in them.
        picture_count: How many pictures there were, also those that could not be placed.
        left_out: Those that were not used.
    """

    names: tuple[str, ...]
    views: tuple[View, ...]
    points: SparsePoints
    picture_count: int
    left_out: tuple[LeftOut, ...]


def reduce_posed(posed: PosedPhotos, *, long_side_px: int, left_out: Sequence[LeftOut]) -> PosedPictures:
    """Reads the undistorted pictures at the size that is trained on."""
    views: list[View] = []
    for photo in posed.photos:
        picture = photo.read_rgb()
        width_px, height_px = fit_size(photo.camera.width_px, photo.camera.height_px, long_side_px=long_side_px)
        small = cv2.resize(picture, (width_px, height_px), interpolation=cv2.INTER_AREA)
        camera = scale_camera(photo.camera, width_px=width_px, height_px=height_px)
        views.append(View(image_rgb=np.asarray(small, np.uint8), camera=camera))
    return PosedPictures(
        names=tuple(photo.name for photo in posed.photos),
        views=tuple(views),
        points=SparsePoints(positions_m=posed.points_m, colors_rgb=posed.colors_rgb),
        picture_count=len(posed.outcomes),
        left_out=tuple(left_out),
    )


def write_posed(pictures: PosedPictures) -> bytes:
    """Returns the file: a zip of JPEGs, arrays of points, and the cameras as JSON."""
    described = {
        "names": pictures.names,
        "cameras": [camera_json(view.camera) for view in pictures.views],
        "picture_count": pictures.picture_count,
        "left_out": [{"name": item.name, "reason": item.reason} for item in pictures.left_out],
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("cameras.json", json.dumps(described))
        archive.writestr("positions_m.npy", _array_bytes(pictures.points.positions_m))
        archive.writestr("colors_rgb.npy", _array_bytes(pictures.points.colors_rgb))
        for index, view in enumerate(pictures.views):
            archive.writestr(f"{index:05}.jpg", encode_jpeg(view.image_rgb, quality=_JPEG_QUALITY))
    return file.getvalue()


def read_posed(file: BinaryIO) -> PosedPictures:
    """Reads what `write_posed` wrote; the pictures went through JPEG once."""
    with zipfile.ZipFile(file) as archive:
        described = json.loads(archive.read("cameras.json"))
        positions_m = np.load(io.BytesIO(archive.read("positions_m.npy")))
        colors_rgb = np.load(io.BytesIO(archive.read("colors_rgb.npy")))
        views = tuple(
            View(image_rgb=_decode(archive.read(f"{index:05}.jpg")), camera=camera_from_json(camera))
            for index, camera in enumerate(described["cameras"])
        )
    return PosedPictures(
        names=tuple(described["names"]),
        views=views,
        points=SparsePoints(positions_m=positions_m, colors_rgb=colors_rgb),
        picture_count=int(described["picture_count"]),
        left_out=tuple(LeftOut(**item) for item in described["left_out"]),
    )


def encode_jpeg(picture_rgb: np.ndarray, *, quality: int) -> bytes:
    """Returns a JPEG file's bytes."""
    _, encoded = cv2.imencode(".jpg", picture_rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()


def _decode(encoded: bytes) -> np.ndarray:
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ValueError("a picture of the checkpoint cannot be read")
    return np.asarray(picture, np.uint8)


def _array_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()
