"""Everything that is seen from one place, as an equirectangular picture, put together from the six faces of a cube.

The picture's middle looks along -z with x to the right and y up; columns go around evenly, a whole turn, and rows from straight up to straight down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from praxiscope_worlds import Camera, InvalidViewError

# Faces see this many pixels more than their share of the cube at each side, so that between pixels of two faces is nothing.
_MARGIN_PX = 2
# Forward and right of each face; down is forward x right.
_FACES = (
    ((0.0, 0.0, -1.0), (1.0, 0.0, 0.0)),
    ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0)),
    ((0.0, 0.0, 1.0), (-1.0, 0.0, 0.0)),
    ((-1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),
    ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0)),
)


@dataclass(frozen=True, kw_only=True)
class Panorama:
    """A place from where everything around is seen.

    Attributes:
        position_m: In the world's frame.
    """

    position_m: tuple[float, float, float]

    def __post_init__(self) -> None:
        """Checks the place.

        Raises:
            InvalidViewError: It is none.
        """
        if not all(math.isfinite(value) for value in self.position_m):
            raise InvalidViewError("A panorama is seen from a place whose numbers are finite.")


def face_side_px(width_px: int) -> int:
    """Returns the faces' side for a panorama's width: as fine in the faces' middle, where they are coarsest, as the picture at its horizon."""
    return math.ceil(width_px / math.pi) + 2 * _MARGIN_PX


def faces_of(panorama: Panorama, *, side_px: int) -> list[Camera]:
    """Returns the cameras of the six faces."""
    cameras: list[Camera] = []
    for forward, right in _FACES:
        pose = np.eye(4)
        pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
        pose[:3, 3] = panorama.position_m
        focal_px = side_px / 2 - _MARGIN_PX  # a right angle, but for the margin
        cameras.append(
            Camera(
                width_px=side_px,
                height_px=side_px,
                focal_px=(focal_px, focal_px),
                centre_px=(side_px / 2, side_px / 2),
                world_from_camera=pose,
            )
        )
    return cameras


def places_on_faces(
    faces: list[Camera], rows: range, *, width_px: int, height_px: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Says where on which face the pixels of some rows are.

    Returns:
        The face of each pixel, [h, W], and its place there, x and y with pixels' middles at +0.5, [h, W] each, float32.
    """
    around = ((np.arange(width_px) + 0.5) / width_px - 0.5) * math.tau
    up = (0.5 - (np.arange(rows.start, rows.stop) + 0.5) / height_px) * math.pi
    flat = np.cos(up)[:, None]
    directions = np.stack(
        np.broadcast_arrays(flat * np.sin(around), np.sin(up)[:, None], -flat * np.cos(around)), axis=-1
    )
    seen = np.stack([directions @ camera.world_from_camera[:3, 2] for camera in faces])
    number = seen.argmax(axis=0)
    x, y = np.empty(number.shape, np.float32), np.empty(number.shape, np.float32)
    for i_face, camera in enumerate(faces):
        is_here = number == i_face
        here = directions[is_here] @ camera.world_from_camera[:3, :3]
        x[is_here] = camera.focal_px[0] * here[:, 0] / here[:, 2] + camera.centre_px[0]
        y[is_here] = camera.focal_px[1] * here[:, 1] / here[:, 2] + camera.centre_px[1]
    return number, x, y
