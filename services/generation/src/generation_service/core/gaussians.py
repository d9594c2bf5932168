"""The Gaussians of a training: parameters with Adam's moments, as rows that come and go together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import KDTree

from generation_service.core.errors import InvalidTrainingInputError
from generation_service.core.types import PARAMETERS, BoolArray, Float32Array, IntArray, SparsePoints
from praxiscope_worlds import SH_C0, SH_COUNTS, GaussianWorld

# Points nearer to each other than this share of the extent are one; their Gaussians would be too small to see.
MIN_GAP_SHARE = 1e-6
# A reconstruction gives as many as it has pictures times features; more than this is not one.
MAX_POINT_COUNT = 20_000_000


@dataclass(kw_only=True, eq=False)
class Gaussians:
    """Rows of parameters, and of Adam's two moments; every array is the training's own and changes in place.

    Attributes:
        values: By name, [N, ...].
        first: Running means of the gradients, likewise.
        second: Running means of their squares, likewise.
    """

    values: dict[str, Float32Array]
    first: dict[str, Float32Array]
    second: dict[str, Float32Array]

    def __len__(self) -> int:
        return len(self.values["means_m"])

    @property
    def sh_degree(self) -> int:
        """Degree of the harmonics that there are coefficients for."""
        return SH_COUNTS.index(self.values["sh"].shape[1])

    def to_world(self) -> GaussianWorld:
        """Returns the world that shares these arrays."""
        return GaussianWorld(**self.values)

    def keep(self, which: BoolArray) -> None:
        """Drops all other rows."""
        for table in (self.values, self.first, self.second):
            for name in PARAMETERS:
                table[name] = np.ascontiguousarray(table[name][which])

    def append(self, rows: dict[str, Float32Array]) -> None:
        """Adds rows that Adam has not moved yet."""
        for name in PARAMETERS:
            self.values[name] = np.concatenate([self.values[name], rows[name]])
            nothing = np.zeros_like(rows[name])
            self.first[name] = np.concatenate([self.first[name], nothing])
            self.second[name] = np.concatenate([self.second[name], nothing])

    def copy_rows(self, which: IntArray | BoolArray) -> dict[str, Float32Array]:
        """Returns copies of the parameters of some rows."""
        return {name: self.values[name][which].copy() for name in PARAMETERS}

    def forget_moments(self, which: IntArray | BoolArray) -> None:
        """Lets Adam begin anew with some rows."""
        for table in (self.first, self.second):
            for name in PARAMETERS:
                table[name][which] = 0.0

    def raise_degree(self) -> None:
        """Adds the coefficients of the next degree, all zero."""
        wanted = SH_COUNTS[self.sh_degree + 1]
        for table in (self.values, self.first, self.second):
            old = table["sh"]
            table["sh"] = np.zeros((len(old), wanted, 3), np.float32)
            table["sh"][:, : old.shape[1]] = old


def plant(points: SparsePoints, *, start_opacity: float, start_scale: float, extent_m: float) -> Gaussians:
    """Makes a round Gaussian of every point, as wide as the gap to its neighbours.

    Args:
        points: Where.
        start_opacity: Of all of them.
        start_scale: Standard deviation in mean distances to the three nearest points.
        extent_m: Size of the scene; two points nearer than a millionth of it count as that far apart.

    Raises:
        InvalidTrainingInputError: There are fewer than four points or more than 20 million, the shapes do not fit, or a place is not finite.
    """
    positions, colors = points.positions_m, points.colors_rgb
    count = len(positions)
    if positions.shape != (count, 3) or colors.shape != (count, 3) or colors.dtype != np.uint8:
        raise InvalidTrainingInputError(
            f"Points must be [P, 3] with uint8 colours [P, 3], are {positions.shape} and {colors.dtype} {colors.shape}."
        )
    if not 4 <= count <= MAX_POINT_COUNT:
        raise InvalidTrainingInputError(
            f"A world grows from 4 to {MAX_POINT_COUNT} points, there are {count}; look for more matches.",
            metadata={"point_count": str(count)},
        )
    if not np.isfinite(positions).all():
        raise InvalidTrainingInputError("A point has a coordinate that is not a number; leave such points out.")
    distances = np.asarray(KDTree(positions).query(positions, k=4)[0])[:, 1:]
    gaps = np.maximum(distances.mean(axis=1), MIN_GAP_SHARE * extent_m)
    quaternions = np.zeros((count, 4), np.float32)
    quaternions[:, 0] = 1.0
    logit = float(np.log(start_opacity / (1.0 - start_opacity)))
    values: dict[str, Float32Array] = {
        "means_m": positions.astype(np.float32),
        "quaternions_wxyz": quaternions,
        "log_scales": np.repeat(np.log(start_scale * gaps)[:, None], 3, axis=1).astype(np.float32),
        "opacity_logits": np.full(count, logit, np.float32),
        "sh": ((colors / 255.0 - 0.5) / SH_C0).astype(np.float32)[:, None, :],
    }
    first, second = ({name: np.zeros_like(array) for name, array in values.items()} for _ in range(2))
    return Gaussians(values=values, first=first, second=second)
