"""Real spherical harmonics as 3DGS writes them, and what a turn of the world does to their coefficients.

Source: the constants are those of the real harmonics with Condon-Shortley phase, as in KHR_gaussian_splatting, "Calculating color from Spherical
Harmonics"; order and signs are those of the .ply files of 3DGS (Kerbl et al. 2023).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from praxiscope_worlds._gaussians import SH_C0, SH_COUNTS

_C1 = 0.4886025119029199
_C2 = (1.0925484305920792, -1.0925484305920792, 0.31539156525252005, -1.0925484305920792, 0.5462742152960396)
_C3 = (
    -0.5900435899266435,
    2.890611442640554,
    -0.4570457994644658,
    0.3731763325901154,
    -0.4570457994644658,
    1.445305721320277,
    -0.5900435899266435,
)
# Enough directions that the harmonics of degree 3 are told apart well; any fixed set would do.
_DIRECTION_COUNT = 64


def harmonics(directions: Float[np.ndarray, "... 3"], *, degree: int) -> Float[np.ndarray, "... K"]:
    """Values of the harmonics up to a degree.

    Args:
        directions: Unit vectors.
        degree: 0 to 3.

    Returns:
        In the order of the coefficients, [..., (degree + 1)^2].
    """
    x, y, z = (directions[..., axis] for axis in range(3))
    xx, yy, zz = x * x, y * y, z * z
    values = [np.full_like(x, SH_C0), -_C1 * y, _C1 * z, -_C1 * x]
    values += [
        constant * value for constant, value in zip(_C2, (x * y, y * z, 2 * zz - xx - yy, x * z, xx - yy), strict=True)
    ]
    values += [
        constant * value
        for constant, value in zip(
            _C3,
            (
                y * (3 * xx - yy),
                x * y * z,
                y * (4 * zz - xx - yy),
                z * (2 * zz - 3 * xx - 3 * yy),
                x * (4 * zz - xx - yy),
                z * (xx - yy),
                x * (xx - 3 * yy),
            ),
            strict=True,
        )
    ]
    return np.stack(values[: SH_COUNTS[degree]], axis=-1)


def turned_harmonics(rotation: Float[np.ndarray, "3 3"], *, degree: int) -> Float[np.ndarray, "K K"]:
    """Matrix that turns coefficients with the world.

    Args:
        rotation: `new_from_old`, a rotation.
        degree: 0 to 3.

    Returns:
        `M` with `new = M @ old`: seen along `rotation @ d`, the new coefficients give what the old ones gave along `d`. Exact up to rounding, because a turned
        harmonic is a sum of harmonics of its own degree.
    """
    # A spiral over the sphere (Fibonacci lattice): even, and the same each time.
    steps = (np.arange(_DIRECTION_COUNT) + 0.5) / _DIRECTION_COUNT
    heights, angles = 1 - 2 * steps, np.pi * (1 + 5**0.5) * np.arange(_DIRECTION_COUNT)
    radii = np.sqrt(1 - heights**2)
    directions = np.stack([radii * np.cos(angles), radii * np.sin(angles), heights], axis=-1)
    old = harmonics(directions, degree=degree)
    new = harmonics(directions @ rotation.T, degree=degree)
    return np.linalg.lstsq(new, old, rcond=None)[0]
