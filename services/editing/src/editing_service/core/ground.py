"""The ground: the plane on which most of a world stands."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float64

from editing_service.core.arrays import FloatArray
from editing_service.core.errors import GroundNotFoundError
from editing_service.core.placement import Placement, turn_between

_UP = np.array([0.0, 1.0, 0.0])
# Three random points of ten lie on a plane with half of all points once in eight draws; so many draws miss it once in 1e14.
_DRAW_COUNT = 256
_MAX_POINT_COUNT = 20_000
# What is steeper is a wall, seen from a world whose up is about right; reconstructions are, within the tilt of a camera.
_MIN_UPRIGHT = math.cos(math.radians(60.0))
_MIN_SHARE = 0.1
_REFINEMENT_COUNT = 3


def find_levelling(
    points: Float64[FloatArray, "N 3"], *, tolerance_m: float, random: np.random.Generator
) -> tuple[Placement, float]:
    """Finds the turn and the shift that make the ground level and put it at y = 0.

    RANSAC (Fischler and Bolles 1981) over planes through three points that are at most 60 degrees from level, then least squares over what lies on the best.

    Args:
        points: Centres among which the ground is, [N, 3].
        tolerance_m: How far from the plane a centre may lie, positive.
        random: Draws the points.

    Returns:
        The placement, about the origin, and the share of points on the plane.

    Raises:
        GroundNotFoundError: No plane holds a tenth of the points.
    """
    if len(points) > _MAX_POINT_COUNT:
        points = points[random.choice(len(points), _MAX_POINT_COUNT, replace=False)]
    if len(points) < 3:
        raise GroundNotFoundError()
    middle = points.mean(axis=0)
    centred = points - middle
    corners = centred[random.integers(0, len(points), (_DRAW_COUNT, 3))]  # [draws, 3 points, 3]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        normals /= lengths[:, None]
    is_upright = np.abs(normals[:, 1]) >= _MIN_UPRIGHT  # False where three points were on a line: NaN
    if not is_upright.any():
        raise GroundNotFoundError()
    normals, corners = normals[is_upright], corners[is_upright]
    offsets = np.einsum("ij,ij->i", normals, corners[:, 0])
    is_on = np.abs(centred @ normals.T - offsets) <= tolerance_m  # [points, draws]
    on_plane = is_on[:, int(np.argmax(is_on.sum(axis=0)))]
    normal, offset = _UP, 0.0
    for _ in range(_REFINEMENT_COUNT):
        if np.count_nonzero(on_plane) < 3:
            raise GroundNotFoundError()
        place = centred[on_plane].mean(axis=0)
        normal = np.linalg.svd(centred[on_plane] - place, full_matrices=False)[2][-1]
        normal = normal if normal[1] >= 0 else -normal
        offset = float(normal @ place)
        on_plane = np.abs(centred @ normal - offset) <= tolerance_m
    share = float(on_plane.mean())
    if normal[1] < _MIN_UPRIGHT:
        raise GroundNotFoundError()
    if share < _MIN_SHARE:
        raise GroundNotFoundError(
            f"The best plane holds {share:.0%} of the selected Gaussians, less than a tenth; select a part of the ground.",
            metadata={"share": f"{share:.4f}"},
        )
    turn = turn_between(normal, _UP)
    height = offset + float(normal @ middle)  # of the plane above the origin, along its normal
    return Placement(quaternion_wxyz=turn, translation_m=(0.0, -height, 0.0), pivot_m=(0.0, 0.0, 0.0)), share
