"""Angles between vectors, and the rules by which they are wrapped and unwrapped. Radians everywhere."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from praxiscope_numerics._arrays import FloatArray
from praxiscope_numerics._gaps import find_runs

TURN_RAD = 2.0 * np.pi


def angle_between(
    first: Float[FloatArray, "*batch axis"], second: Float[FloatArray, "*batch axis"]
) -> Float[FloatArray, "*batch"]:
    """Measures the unsigned angle between two vectors of any dimension.

    Args:
        first: Vectors, any unit, last axis the components.
        second: Vectors of the same shape.

    Returns:
        Angle in [0, pi] rad; NaN where a component is NaN or a vector is zero.

    **Source:** W. Kahan, "Computing cross-products and rotations", 2016, sec. 12: 2 atan2(|a - b|, |a + b|) of the
    unit vectors, which keeps full
    precision near 0 and pi where acos of the dot product loses half of the digits.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        unit_first = first / np.linalg.norm(first, axis=-1, keepdims=True)
        unit_second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    apart, along = (np.linalg.norm(unit_first + sign * unit_second, axis=-1) for sign in (-1.0, 1.0))
    return np.asarray(2.0 * np.arctan2(apart, along))


def signed_angle_2d(
    start: Float[FloatArray, "*batch 2"], end: Float[FloatArray, "*batch 2"]
) -> Float[FloatArray, "*batch"]:
    """Measures the signed turn from one plane vector to another.

    Args:
        start: Vectors (x, y).
        end: Vectors (x, y).

    Returns:
        Angle in [-pi, pi] rad, positive from +x towards +y: counter-clockwise as seen where y points up, clockwise on
        an image, where y points down.
        NaN where a component is NaN or a vector is zero.
    """
    cross = start[..., 0] * end[..., 1] - start[..., 1] * end[..., 0]
    dot = start[..., 0] * end[..., 0] + start[..., 1] * end[..., 1]
    is_degenerate = (np.abs(start).max(axis=-1) == 0.0) | (np.abs(end).max(axis=-1) == 0.0)
    return np.asarray(np.where(is_degenerate, np.nan, np.arctan2(cross, dot)))


def wrap_angle(angle_rad: Float[FloatArray, "*shape"], center_rad: float = 0.0) -> Float[FloatArray, "*shape"]:
    """Brings angles into the turn that is centred on `center_rad`.

    Args:
        angle_rad: Angles in radians; NaN stays NaN.
        center_rad: Middle of the wanted range.

    Returns:
        The same directions in [center - pi, center + pi).
    """
    return np.asarray((angle_rad - center_rad + np.pi) % TURN_RAD - np.pi + center_rad)


def unwrap_angle(angle_rad: Float[FloatArray, " time"], center_rad: float = 0.0) -> Float[FloatArray, " time"]:
    """Removes jumps of whole turns along time, each run of seen samples by itself.

    A run starts in the turn centred on `center_rad`; within it no step is longer than pi. Nothing is carried over a
    gap, for what happened in it is
    unknown: that is why one wrong frame cannot shift the rest of a recording by 360 degrees.

    Args:
        angle_rad: Angles over time in radians, NaN where not seen.
        center_rad: Middle of the range in which the median of each run is to lie.

    Returns:
        Angles in radians, NaN where the input is.
    """
    unwrapped = np.full_like(angle_rad, np.nan)
    for start, stop in find_runs(np.isfinite(angle_rad)):
        run = np.unwrap(angle_rad[start:stop])
        middle = float(np.median(run))
        shift = float(wrap_angle(np.asarray(middle), center_rad)) - middle
        unwrapped[start:stop] = run + shift
    return unwrapped
