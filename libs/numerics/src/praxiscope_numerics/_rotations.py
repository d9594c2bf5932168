"""Frames from directions, and Cardan angles of rotations.

Right-handed; a rotation named `a_from_b` takes coordinates in b to coordinates in a.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from praxiscope_numerics._arrays import FloatArray

# Two directions closer to parallel than this sine span no plane worth the name; 3 degrees.
MIN_SINE = 0.05


def build_frame(
    primary: Float[FloatArray, "*batch 3"], secondary: Float[FloatArray, "*batch 3"], *, axes: str
) -> Float[FloatArray, "*batch 3 3"]:
    """Builds right-handed orthonormal axes from two directions.

    Args:
        primary: Direction that the first named axis takes exactly.
        secondary: Direction that the second named axis takes as closely as it can while staying perpendicular.
        axes: Names of the two axes, as in `"yz"`: y along `primary`, z near `secondary`.

    Returns:
        Rotation `world_from_body`: its columns are the body's x, y and z axes in the coordinates of the input. NaN
        where a direction is NaN, zero, or
        within 3 degrees of parallel to the other.

    Raises:
        ValueError: `axes` does not name two different axes of x, y, z.
    """
    if len(axes) != 2 or axes[0] == axes[1] or not set(axes) <= set("xyz"):
        raise ValueError(f"axes must name two different axes of x, y, z; is {axes!r}")
    i_primary, i_secondary = "xyz".index(axes[0]), "xyz".index(axes[1])
    i_third = 3 - i_primary - i_secondary
    # +1 where (primary, secondary, third) is a cyclic order of (x, y, z).
    handedness = 1.0 if (i_secondary - i_primary) % 3 == 1 else -1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        first = primary / np.linalg.norm(primary, axis=-1, keepdims=True)
        guide = secondary / np.linalg.norm(secondary, axis=-1, keepdims=True)
        third = handedness * np.cross(first, guide)
        sine = np.linalg.norm(third, axis=-1, keepdims=True)
        third = np.where(sine >= MIN_SINE, third / sine, np.nan)
    second = handedness * np.cross(third, first)
    frame = np.empty((*primary.shape[:-1], 3, 3))
    frame[..., i_primary] = np.where(np.isfinite(third), first, np.nan)
    frame[..., i_secondary] = second
    frame[..., i_third] = third
    return frame


def rotation_from_cardan_angles(
    angles_rad: Float[FloatArray, "*batch 3"], *, sequence: str
) -> Float[FloatArray, "*batch 3 3"]:
    """Multiplies three rotations about body-fixed axes.

    Args:
        angles_rad: Angles about the axes of `sequence`, in its order.
        sequence: Three different axes, as in `"zxy"`: first about z, then about the new x, then about the newest y.

    Returns:
        Rotation `parent_from_child`.
    """
    rotation = np.broadcast_to(np.eye(3), (*angles_rad.shape[:-1], 3, 3))
    for i_angle, axis in enumerate(sequence):
        rotation = rotation @ _rotation_about(axis, angles_rad[..., i_angle])
    return rotation


def cardan_angles_from_rotation(
    parent_from_child: Float[FloatArray, "*batch 3 3"], *, sequence: str
) -> Float[FloatArray, "*batch 3"]:
    """Splits a rotation into three turns about body-fixed axes; the inverse of `rotation_from_cardan_angles`.

    Args:
        parent_from_child: Rotations; NaN gives NaN.
        sequence: Three different axes of x, y, z, as in `"zxy"`.

    Returns:
        Angles in radians in the order of `sequence`; the middle one in [-pi/2, pi/2], the others in [-pi, pi]. At the
        singularity (middle angle at
        +-pi/2) first and third are not separate, and their sum or difference is what holds.

    **Source:** OpenSim and ISB (Wu et al., J. Biomech. 35, 2002) use body-fixed Cardan sequences; the formula is the
    standard one for i, j, k distinct.
    """
    i, j, k = ("xyz".index(axis) for axis in sequence)
    sign = 1.0 if (j - i) % 3 == 1 else -1.0
    middle = np.arcsin(np.clip(sign * parent_from_child[..., i, k], -1.0, 1.0))
    first = np.arctan2(-sign * parent_from_child[..., j, k], parent_from_child[..., k, k])
    third = np.arctan2(-sign * parent_from_child[..., i, j], parent_from_child[..., i, i])
    return np.stack([first, middle, third], axis=-1)


def _rotation_about(axis: str, angle_rad: FloatArray) -> FloatArray:
    i_axis = "xyz".index(axis)
    i_next, i_last = (i_axis + 1) % 3, (i_axis + 2) % 3
    rotation = np.zeros((*angle_rad.shape, 3, 3))
    rotation[..., i_axis, i_axis] = 1.0
    rotation[..., i_next, i_next] = rotation[..., i_last, i_last] = np.cos(angle_rad)
    rotation[..., i_last, i_next] = np.sin(angle_rad)
    rotation[..., i_next, i_last] = -np.sin(angle_rad)
    return rotation
