"""Makes a stranger's mesh ready for engines, or says why it cannot be drawn."""

from __future__ import annotations

import cv2
import numpy as np

from praxiscope_worlds import Mesh, WorldNotDrawableError
from rendering_service.adapters.mesh_scene import MeshScene
from rendering_service.core.color import displayed, linear

# Textures of more pixels a side are reduced: OpenGL need not take more than 16,384, and path tracing keeps them as floats.
_MAX_TEXTURE_SIDE_PX = 8192
# Engines compute in 32 bits: squares of more are no numbers.
_MAX_COORDINATE_M = 1e9
# The ground is so many times as wide as what stands on it, a little below it.
_GROUND_WIDTHS, _GROUND_GAP = 20.0, 1e-4


def scene_of(mesh: Mesh, *, has_ground: bool) -> MeshScene:
    """Makes a mesh ready.

    Colours at corners tint a texture by their mean; a tint that changes from corner to corner is beyond what all engines do alike.

    Raises:
        WorldNotDrawableError: It has no face that is one, or is too large for 32 bits.
    """
    corners = mesh.faces
    is_face = (corners[:, 0] != corners[:, 1]) & (corners[:, 1] != corners[:, 2]) & (corners[:, 2] != corners[:, 0])
    faces = np.ascontiguousarray(corners[is_face])
    if not len(faces):
        raise WorldNotDrawableError("The mesh has no faces; there is nothing to draw.")
    used = mesh.vertices_m[np.unique(faces)]
    if not np.isfinite(used).all() or np.abs(used).max() > _MAX_COORDINATE_M:
        raise WorldNotDrawableError("The mesh has corners beyond 10^9, which is too far to draw; scale it down.")
    # Corners that no face uses may lie anywhere.
    vertices = np.nan_to_num(np.clip(mesh.vertices_m, -_MAX_COORDINATE_M, _MAX_COORDINATE_M), nan=0.0)
    albedo = np.ones((len(vertices), 3), np.float32) if mesh.colors_rgb is None else linear(mesh.colors_rgb)
    uvs, texture = np.zeros((0, 2), np.float32), np.zeros((0, 0, 3), np.uint8)
    if mesh.texture_rgb is not None and mesh.uvs is not None and mesh.texture_rgb.size:
        tint = albedo.mean(axis=0)
        uvs, texture, albedo = mesh.uvs, _fitted(mesh.texture_rgb), np.ones_like(albedo)
        if np.any(tint < 1.0):
            texture = displayed(linear(texture) * tint)
    return MeshScene(
        vertices_m=np.ascontiguousarray(vertices, np.float32),
        faces=faces,
        albedo=np.ascontiguousarray(albedo, np.float32),
        uvs=np.ascontiguousarray(np.nan_to_num(uvs), np.float32),
        texture_rgb=np.ascontiguousarray(texture),
        ground_m=_ground_under(used) if has_ground else np.zeros((0, 3), np.float32),
    )


def decode_texture(encoded: bytes, max_pixels: int) -> np.ndarray:
    """Decodes a texture of a mesh's file; see `PictureDecoder`."""
    from praxiscope_media import decode_image  # here, since few ever see a texture, and codecs take memory

    return decode_image(encoded, max_pixels=max_pixels)


def _ground_under(used: np.ndarray) -> np.ndarray:
    low, high = used.min(axis=0).astype(np.float64), used.max(axis=0).astype(np.float64)
    size = float(np.linalg.norm(high - low))
    half, height = 0.5 * _GROUND_WIDTHS * size, low[1] - _GROUND_GAP * size
    (x, _, z) = 0.5 * (low + high)
    return np.array(
        [[x - half, height, z + half], [x + half, height, z + half], [x + half, height, z - half], [x - half, height, z - half]],
        np.float32,
    )  # fmt: skip


def _fitted(texture: np.ndarray) -> np.ndarray:
    height_px, width_px, _ = texture.shape
    scale = _MAX_TEXTURE_SIDE_PX / max(height_px, width_px)
    if scale >= 1.0:
        return texture
    size = max(1, round(width_px * scale)), max(1, round(height_px * scale))
    return np.asarray(cv2.resize(texture, size, interpolation=cv2.INTER_AREA), np.uint8)
