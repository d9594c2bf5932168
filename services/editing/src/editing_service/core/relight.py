"""Light from another side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial import KDTree

from editing_service.core.arrays import Float32Array, FloatArray
from editing_service.core.colors import base_colors, linear_from_srgb, srgb_from_linear, with_base_colors
from editing_service.core.errors import InvalidEditError
from editing_service.core.placement import Vector
from editing_service.core.selections import Color
from praxiscope_worlds import GaussianWorld


@dataclass(frozen=True, kw_only=True)
class Light:
    """A far light.

    Attributes:
        direction: Towards it, of any length but none.
        color_rgb: sRGB, 0 to 1.
        intensity: How strong.
        ambient: What light comes from everywhere.
    """

    direction: Vector
    color_rgb: Color
    intensity: float = 1.0
    ambient: float = 0.0

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InvalidEditError: One is not finite, or the direction is none.
        """
        length = math.hypot(*self.direction)
        if not all(map(math.isfinite, (length, self.intensity, self.ambient))) or length < 1e-6:
            raise InvalidEditError("A light needs a direction of some length and finite numbers.")


def relit(rows: GaussianWorld, light: Light, viewpoints_m: Float64[FloatArray, "C 3"]) -> Float32Array:
    """Returns the harmonics of Gaussians under another light, [N, K, 3].

    Colour in linear light is multiplied by `ambient + intensity * color * max(0, normal . direction)`. The shortest axis is the normal as far as the Gaussian
    is flat; a round one is lit as if it looked everywhere at once (half of the light).

    Args:
        rows: The Gaussians.
        light: The light.
        viewpoints_m: From where the world is seen, [C, 3]; a normal points to the nearest of them. Without any, upwards.
    """
    normals, flatness = normals_of(rows, viewpoints_m)
    direction = np.array(light.direction) / np.linalg.norm(light.direction)
    facing = flatness * np.maximum(0.0, normals @ direction) + (1.0 - flatness) * 0.5
    color = linear_from_srgb(np.array(light.color_rgb))
    lit = linear_from_srgb(base_colors(rows.sh)) * (light.ambient + light.intensity * facing[:, None] * color)
    return with_base_colors(rows.sh, srgb_from_linear(lit))


def normals_of(
    rows: GaussianWorld, viewpoints_m: Float64[FloatArray, "C 3"]
) -> tuple[Float64[FloatArray, "N 3"], Float64[FloatArray, " N"]]:
    """Returns the shortest axis of each Gaussian, turned towards the nearest viewpoint, and how flat it is: 0 round, 1 a disc."""
    scales = rows.log_scales.astype(np.float64)
    i_shortest = np.argmin(scales, axis=1)
    ordered = np.sort(scales, axis=1)
    flatness = 1.0 - np.exp(ordered[:, 0] - ordered[:, 1])
    quaternions = rows.quaternions_wxyz.astype(np.float64)
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    w, x, y, z = quaternions.T
    columns = np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)], axis=-1),
            np.stack([2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)], axis=-1),
            np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=-1),
        ],
        axis=1,
    )  # [N, axis, 3]
    normals = columns[np.arange(len(rows)), i_shortest]
    towards = np.tile(np.array([0.0, 1.0, 0.0]), (len(rows), 1))
    if len(viewpoints_m):
        _, i_view = KDTree(viewpoints_m).query(rows.means_m)
        towards = viewpoints_m[np.asarray(i_view)] - rows.means_m
    signs = np.where(np.einsum("ij,ij->i", normals, towards) < 0, -1.0, 1.0)
    return normals * signs[:, None], flatness
