"""A pinhole camera without distortion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from praxiscope_worlds._errors import InvalidWorldError


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """Where a picture is taken from, and how. The camera's frame: x right, y down, z forward (OpenCV's).

    A point (x, y, z) in the camera's frame is seen at (fx x / z + cx, fy y / z + cy), where the outer corner of the top left pixel is (0, 0) and its
    centre (0.5, 0.5).

    Attributes:
        width_px: Width of the picture.
        height_px: Height of the picture.
        focal_px: (fx, fy).
        centre_px: (cx, cy), the principal point.
        world_from_camera: Rigid transform, [4, 4].
    """

    width_px: int
    height_px: int
    focal_px: tuple[float, float]
    centre_px: tuple[float, float]
    world_from_camera: Float64[np.ndarray, "4 4"]

    def __post_init__(self) -> None:
        """Checks sizes and the transform.

        Raises:
            InvalidWorldError: One is not as the class says.
        """
        if self.width_px < 1 or self.height_px < 1:
            raise InvalidWorldError(f"A picture must have pixels; {self.width_px} x {self.height_px} has none.")
        if not all(np.isfinite(self.focal_px)) or min(self.focal_px) <= 0 or not all(np.isfinite(self.centre_px)):
            raise InvalidWorldError(
                f"Focal lengths must be positive and the centre finite: {self.focal_px}, {self.centre_px}."
            )
        rotation = (
            np.asarray(self.world_from_camera)[:3, :3]
            if np.shape(self.world_from_camera) == (4, 4)
            else np.zeros((3, 3))
        )
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4) or np.linalg.det(rotation) < 0:
            raise InvalidWorldError("world_from_camera must be a rotation and a translation, [4, 4].")

    @property
    def camera_from_world(self) -> Float64[np.ndarray, "4 4"]:
        """The transform the other way."""
        rotation, translation = self.world_from_camera[:3, :3], self.world_from_camera[:3, 3]
        inverse = np.eye(4)
        inverse[:3, :3], inverse[:3, 3] = rotation.T, -rotation.T @ translation
        return inverse

    @property
    def position_m(self) -> Float64[np.ndarray, " 3"]:
        """The centre of projection in the world's frame."""
        return self.world_from_camera[:3, 3]
