"""Real spherical harmonics up to degree 3, in 3DGS's order and signs, and their slopes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from praxiscope_worlds._gaussians import SH_C0

# Each function is a constant times a polynomial of the direction: (constant, ((factor, powers of x, y, z), ...)). The constants are those of the harmonics of
# length 1 on the sphere.
_TERMS: tuple[tuple[float, tuple[tuple[float, tuple[int, int, int]], ...]], ...] = (
    (SH_C0, ((1.0, (0, 0, 0)),)),
    (-0.4886025119029199, ((1.0, (0, 1, 0)),)),
    (0.4886025119029199, ((1.0, (0, 0, 1)),)),
    (-0.4886025119029199, ((1.0, (1, 0, 0)),)),
    (1.0925484305920792, ((1.0, (1, 1, 0)),)),
    (-1.0925484305920792, ((1.0, (0, 1, 1)),)),
    (0.31539156525252005, ((2.0, (0, 0, 2)), (-1.0, (2, 0, 0)), (-1.0, (0, 2, 0)))),
    (-1.0925484305920792, ((1.0, (1, 0, 1)),)),
    (0.5462742152960396, ((1.0, (2, 0, 0)), (-1.0, (0, 2, 0)))),
    (-0.5900435899266435, ((3.0, (2, 1, 0)), (-1.0, (0, 3, 0)))),
    (2.890611442640554, ((1.0, (1, 1, 1)),)),
    (-0.4570457994644658, ((4.0, (0, 1, 2)), (-1.0, (2, 1, 0)), (-1.0, (0, 3, 0)))),
    (0.3731763325901154, ((2.0, (0, 0, 3)), (-3.0, (2, 0, 1)), (-3.0, (0, 2, 1)))),
    (-0.4570457994644658, ((4.0, (1, 0, 2)), (-1.0, (3, 0, 0)), (-1.0, (1, 2, 0)))),
    (1.445305721320277, ((1.0, (2, 0, 1)), (-1.0, (0, 2, 1)))),
    (-0.5900435899266435, ((1.0, (3, 0, 0)), (-3.0, (1, 2, 0)))),
)


def evaluate_harmonics(directions: Float64[np.ndarray, "N 3"], count: int) -> Float64[np.ndarray, "N K"]:
    """Returns the first `count` functions (1, 4, 9 or 16) at directions of length 1."""
    values = np.zeros((len(directions), count))
    for i_function, (constant, terms) in enumerate(_TERMS[:count]):
        for factor, powers in terms:
            values[:, i_function] += constant * factor * np.prod(directions ** np.array(powers), axis=1)
    return values


def slope_harmonics(directions: Float64[np.ndarray, "N 3"], count: int) -> Float64[np.ndarray, "N K 3"]:
    """Returns the slopes of the polynomials by x, y and z; the part along the direction is to be taken out by the caller."""
    slopes = np.zeros((len(directions), count, 3))
    for i_function, (constant, terms) in enumerate(_TERMS[:count]):
        for factor, powers in terms:
            for axis in range(3):
                if not powers[axis]:
                    continue
                lowered = np.array(powers)
                lowered[axis] -= 1
                slope = factor * powers[axis] * np.prod(directions**lowered, axis=1)
                slopes[:, i_function, axis] += constant * slope
    return slopes
