"""Moving, turning and scaling Gaussians."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float64

from editing_service.core.arrays import Float32Array, FloatArray
from editing_service.core.errors import InvalidEditError
from praxiscope_worlds import GaussianWorld
from praxiscope_worlds.formats import turned_harmonics

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
NO_TURN: Quaternion = (1.0, 0.0, 0.0, 0.0)
_MIN_LENGTH = 1e-6


@dataclass(frozen=True, kw_only=True)
class Placement:
    """`p' = pivot + rotation * scale * (p - pivot) + translation`.

    Attributes:
        translation_m: Where to.
        quaternion_wxyz: How it is turned; of any length but none, kept as a unit one.
        scale: How many times larger, positive.
        pivot_m: About which point; None leaves it to whoever places.
    """

    translation_m: Vector = (0.0, 0.0, 0.0)
    quaternion_wxyz: Quaternion = NO_TURN
    scale: float = 1.0
    pivot_m: Vector | None = None

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            InvalidEditError: One is not finite, the quaternion has no direction, or the scale is not positive.
        """
        length = math.hypot(*self.quaternion_wxyz)
        numbers = (*self.translation_m, length, self.scale, *(self.pivot_m or ()))
        if not all(map(math.isfinite, numbers)) or length < _MIN_LENGTH or self.scale <= 0:
            raise InvalidEditError("A transform needs finite numbers, a rotation of some length and a positive scale.")
        w, x, y, z = (value / length for value in self.quaternion_wxyz)
        object.__setattr__(self, "quaternion_wxyz", (w, x, y, z))

    @property
    def is_turned(self) -> bool:
        """Whether it turns anything."""
        return max(map(abs, self.quaternion_wxyz[1:])) > 0.0

    def rotation(self) -> Float64[FloatArray, "3 3"]:
        """Returns the rotation as a matrix."""
        w, x, y, z = self.quaternion_wxyz
        return np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
                [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
                [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
            ]
        )


def turn_between(start: Float64[FloatArray, " 3"], end: Float64[FloatArray, " 3"]) -> Quaternion:
    """Returns the smallest turn that takes one unit vector to another; where they are opposite, one of the half turns."""
    w = 1.0 + float(start @ end)
    axis = np.cross(start, end)
    if w < 1e-9:
        w, axis = 0.0, np.cross(start, np.eye(3)[int(np.argmin(np.abs(start)))])
    quaternion = np.array([w, *axis])
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return float(w), float(x), float(y), float(z)


def placed(rows: GaussianWorld, placement: Placement, pivot_m: Float64[FloatArray, " 3"]) -> GaussianWorld:
    """Returns Gaussians elsewhere.

    Args:
        rows: The Gaussians.
        placement: Where to.
        pivot_m: About which point.
    """
    rotation = placement.rotation()
    offsets = placement.scale * (rows.means_m.T.astype(np.float64, order="C") - pivot_m[:, None])
    if placement.is_turned:
        offsets = _times(rotation, offsets)
    offsets += (pivot_m + np.array(placement.translation_m))[:, None]
    moved = replace(
        rows,
        means_m=np.ascontiguousarray(offsets.T, dtype=np.float32),
        log_scales=rows.log_scales + np.float32(math.log(placement.scale)),
    )
    if not placement.is_turned:
        return moved
    matrix = turned_harmonics(rotation, degree=rows.sh_degree).astype(np.float32)
    return replace(
        moved,
        quaternions_wxyz=_turned(placement.quaternion_wxyz, rows.quaternions_wxyz),
        sh=np.matmul(matrix, rows.sh) if rows.sh_degree else rows.sh,
    )


def _turned(turn: Quaternion, quaternions: Float32Array) -> Float32Array:
    """Returns `turn * quaternion` for each row."""
    w, x, y, z = turn
    matrix = np.array([[w, -x, -y, -z], [x, w, -z, y], [y, z, w, -x], [z, -y, x, w]])
    return np.ascontiguousarray(_times(matrix, quaternions.T.astype(np.float64, order="C")).T, dtype=np.float32)


def _times(matrix: Float64[FloatArray, "D D"], columns: Float64[FloatArray, "D N"]) -> Float64[FloatArray, "D N"]:
    """Multiplies a small matrix with long rows, a row at a time: a library of matrices starts threads for that and takes three times as long."""
    return np.stack([sum(factor * row for factor, row in zip(factors, columns, strict=True)) for factors in matrix])
