"""A triangle mesh."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from praxiscope_worlds._errors import InvalidWorldError


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """Triangles in the world's frame (see `GaussianWorld`).

    Attributes:
        vertices_m: Corners, [V, 3].
        faces: Three corners each, counter-clockwise seen from outside, [F, 3].
        colors_rgb: sRGB at each corner, [V, 3], or None.
        uvs: Texture coordinates of each corner, (0, 0) is the bottom left of the picture, [V, 2], or None.
        texture_rgb: The picture, rows from the top, [H, W, 3], or None.
    """

    vertices_m: Float32[np.ndarray, "V 3"]
    faces: Int32[np.ndarray, "F 3"]
    colors_rgb: UInt8[np.ndarray, "V 3"] | None = None
    uvs: Float32[np.ndarray, "V 2"] | None = None
    texture_rgb: UInt8[np.ndarray, "H W 3"] | None = None

    def __post_init__(self) -> None:
        """Checks shapes, types and that faces name corners.

        Raises:
            InvalidWorldError: One is not as the class says.
        """
        count = len(self.vertices_m)
        expected = {
            "vertices_m": (self.vertices_m, (count, 3), np.float32),
            "faces": (self.faces, (len(self.faces), 3), np.int32),
            "colors_rgb": (self.colors_rgb, (count, 3), np.uint8),
            "uvs": (self.uvs, (count, 2), np.float32),
        }
        for name, (array, shape, dtype) in expected.items():
            if array is not None and (array.shape != shape or array.dtype != dtype):
                raise InvalidWorldError(
                    f"{name} must be {np.dtype(dtype)} of shape {shape}, is {array.dtype} of {array.shape}."
                )
        if len(self.faces) and (self.faces.min() < 0 or self.faces.max() >= count):
            raise InvalidWorldError(
                f"faces name corners from {self.faces.min()} to {self.faces.max()}; there are {count}."
            )
        if (self.texture_rgb is None) != (self.uvs is None):
            raise InvalidWorldError("uvs and texture_rgb belong together.")
