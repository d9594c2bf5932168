"""Light from another side."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64
from scipy.spatial import KDTree

from editing_service.core.arrays import Float32Array, FloatArray
from editing_service.core.colors import base_colors, linear_from_srgb, srgb_from_linear, with_base_colors
from editing_service.core.errors import InvalidEditError
from editing_service.core.placement import Vector
from editing_service.core.selections import Color
from praxiscope_worlds import GaussianWorld

# So few viewpoints are compared one by one in less time than a tree takes.
_MAX_COMPARED = 16


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
    facing = flatness * np.maximum(0.0, normals @ direction.astype(np.float32)) + (1.0 - flatness) * 0.5
    color = linear_from_srgb(np.array(light.color_rgb))
    lit = linear_from_srgb(base_colors(rows.sh[:, :1])) * (light.ambient + light.intensity * facing[:, None] * color)
    return with_base_colors(rows.sh, srgb_from_linear(lit))


def normals_of(
    rows: GaussianWorld, viewpoints_m: Float64[FloatArray, "C 3"]
) -> tuple[Float32[Float32Array, "N 3"], Float32[Float32Array, " N"]]:
    """Returns the shortest axis of each Gaussian, turned towards the nearest viewpoint, and how flat it is: 0 round, 1 a disc."""
    # axis by axis, each a line of its own: numpy is slow along short axes
    scales = np.ascontiguousarray(rows.log_scales.T)
    i_shortest = np.argmin(scales, axis=0)
    shortest, middle, _ = np.sort(scales, axis=0)
    flatness = 1.0 - np.exp(shortest - middle)
    w, x, y, z = np.ascontiguousarray(rows.quaternions_wxyz.T) / np.linalg.norm(rows.quaternions_wxyz, axis=1)
    normals = np.stack(
        [
            np.choose(i_shortest, [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)]),
            np.choose(i_shortest, [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)]),
            np.choose(i_shortest, [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)]),
        ]
    )  # [3, N]
    towards = _towards_nearest(np.ascontiguousarray(rows.means_m.T), viewpoints_m)
    normals *= np.where((normals * towards).sum(axis=0) < 0, np.float32(-1.0), np.float32(1.0))
    return normals.T, flatness


def _towards_nearest(places_m: Float32[Float32Array, "3 N"], viewpoints_m: Float64[FloatArray, "C 3"]) -> Float32Array:
    """Returns the way from each place to the nearest viewpoint, [3, N]; upwards where there is none."""
    if not len(viewpoints_m):
        return np.repeat(np.array([[0.0], [1.0], [0.0]], np.float32), places_m.shape[1], axis=1)
    if len(viewpoints_m) > _MAX_COMPARED:
        _, i_view = KDTree(viewpoints_m).query(places_m.T)
        return viewpoints_m[np.asarray(i_view)].T.astype(np.float32) - places_m
    nearest, least_m2 = np.empty_like(places_m), np.full(places_m.shape[1], np.inf, np.float32)
    for viewpoint in viewpoints_m.astype(np.float32):
        towards = viewpoint[:, None] - places_m
        distance_m2 = (towards * towards).sum(axis=0)
        is_nearer = distance_m2 < least_m2
        np.copyto(nearest, towards, where=is_nearer)
        np.copyto(least_m2, distance_m2, where=is_nearer)
    return nearest
