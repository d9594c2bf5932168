"""Meshes as Gaussians: flat discs on the faces."""

from __future__ import annotations

import math

import numpy as np

from editing_service.core.errors import InvalidEditError
from praxiscope_worlds import SH_C0, GaussianWorld, Mesh

# Discs that overlap by so much leave no gaps between them.
_DISC_SHARE = 0.8
# Across the face a disc is so much thinner than along.
_THINNESS = 0.1
_OPACITY_LOGIT = 5.0
_GREY = 0.7


def gaussians_on_mesh(mesh: Mesh, *, count: int, random: np.random.Generator) -> GaussianWorld:
    """Returns Gaussians evenly over a mesh's area, with the colours of its corners or of its texture, grey where it has neither.

    Args:
        mesh: The mesh.
        count: How many, 1 or more.
        random: Draws where they lie.

    Raises:
        InvalidEditError: The mesh has no area.
    """
    corners = mesh.vertices_m[mesh.faces].astype(np.float64)  # [F, 3 corners, 3]
    crosses = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(crosses, axis=1) / 2
    total_m2 = float(areas.sum())
    if not len(areas) or not math.isfinite(total_m2) or total_m2 <= 0:
        raise InvalidEditError("The mesh that is to be put in has no faces with an area.")
    i_face = np.sort(random.choice(len(areas), count, p=areas / total_m2))
    # uniform in a triangle: the root spreads the first evenly over the area
    root, other = np.sqrt(random.random(count)), random.random(count)
    shares = np.stack([1 - root, root * (1 - other), root * other], axis=-1)  # [N, 3 corners]
    means = np.einsum("nc,ncx->nx", shares, corners[i_face])
    radius_m = _DISC_SHARE * math.sqrt(total_m2 / count)
    colors = _colors(mesh, i_face, shares)
    scales = np.log(np.array([radius_m, radius_m, radius_m * _THINNESS]))
    return GaussianWorld(
        means_m=means.astype(np.float32),
        quaternions_wxyz=_facing(crosses[i_face] / (2 * areas[i_face, None])),
        log_scales=np.tile(scales, (count, 1)).astype(np.float32),
        opacity_logits=np.full(count, _OPACITY_LOGIT, np.float32),
        sh=((colors - 0.5) / SH_C0)[:, None].astype(np.float32),
    )


def _facing(normals: np.ndarray) -> np.ndarray:
    """Returns quaternions that turn z to each normal."""
    quaternions = np.column_stack([1 + normals[:, 2], -normals[:, 1], normals[:, 0], np.zeros(len(normals))])
    quaternions[normals[:, 2] < -1 + 1e-9] = (0.0, 1.0, 0.0, 0.0)
    return (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).astype(np.float32)


def _colors(mesh: Mesh, i_face: np.ndarray, shares: np.ndarray) -> np.ndarray:
    i_corner = mesh.faces[i_face]
    if mesh.texture_rgb is not None and mesh.uvs is not None:
        uv = np.einsum("nc,ncx->nx", shares, mesh.uvs[i_corner].astype(np.float64))
        height, width = mesh.texture_rgb.shape[:2]
        column = np.clip(np.nan_to_num(uv[:, 0] % 1.0) * width, 0, width - 1).astype(np.int64)
        row = np.clip((1 - np.nan_to_num(uv[:, 1] % 1.0)) * height, 0, height - 1).astype(np.int64)
        return mesh.texture_rgb[row, column] / 255.0
    if mesh.colors_rgb is not None:
        return np.einsum("nc,ncx->nx", shares, mesh.colors_rgb[i_corner] / 255.0)
    return np.full((len(i_face), 3), _GREY)
