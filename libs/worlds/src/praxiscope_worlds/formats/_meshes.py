"""Between the meshes of files and a `Mesh`."""

from __future__ import annotations

import numpy as np

from praxiscope_worlds._errors import InvalidWorldError
from praxiscope_worlds._mesh import Mesh
from praxiscope_worlds.formats._check import Check, FindingCode


def check_writable_mesh(mesh: Mesh) -> Mesh:
    """Refuses what no file can hold.

    Raises:
        InvalidWorldError: Numbers are not finite.
    """
    for name, values in {"vertices_m": mesh.vertices_m, "uvs": mesh.uvs}.items():
        if values is not None and not np.isfinite(values).all():
            raise InvalidWorldError(f"{name} has numbers that are not finite; take their faces out first.")
    return mesh


def finish_mesh(
    check: Check,
    vertices: np.ndarray,
    faces: np.ndarray,
    colors: np.ndarray | None,
    *,
    uvs: np.ndarray | None,
    texture: np.ndarray | None,
) -> Mesh:
    """Makes a mesh of what a file holds. Faces at corners that are no numbers are left out and told; the corners stay, at the origin."""
    is_good = np.asarray(np.isfinite(vertices).all(axis=1))
    if uvs is not None:
        is_good &= np.asarray(np.isfinite(uvs).all(axis=1))
        uvs = np.ascontiguousarray(np.where(is_good[:, None], uvs, 0), np.float32)
    if not is_good.all():
        is_kept = is_good[faces].all(axis=1)
        bad_count = len(vertices) - int(is_good.sum())
        message = f"{bad_count} of {len(vertices)} corners are not finite"
        if len(faces) and not is_kept.any():
            check.fail(FindingCode.NOT_FINITE, "corners", message)
        left_out = len(faces) - int(is_kept.sum())
        check.note(FindingCode.NOT_FINITE, "corners", f"{message}; {left_out} faces are left out")
        vertices, faces = np.where(is_good[:, None], vertices, 0), faces[is_kept]
    return Mesh(
        vertices_m=np.ascontiguousarray(vertices, np.float32),
        faces=np.ascontiguousarray(faces, np.int32),
        colors_rgb=None if colors is None else np.ascontiguousarray(colors, np.uint8),
        uvs=uvs,
        texture_rgb=None if texture is None else np.ascontiguousarray(texture, np.uint8),
    )


def fans_of(corners: np.ndarray) -> np.ndarray:
    """Triangles of polygons with one number of corners, [M, n] to [M (n - 2), 3]: a fan around the first."""
    count = corners.shape[1]
    return np.stack(
        [np.stack([corners[:, 0], corners[:, i], corners[:, i + 1]], axis=1) for i in range(1, count - 1)], axis=1
    ).reshape(-1, 3)
