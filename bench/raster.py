"""Draws a mesh with colours at corners, on the CPU with NumPy alone: for pictures of procedural worlds that anyone can make.

Triangles are taken together by the size of their boxes, each box's pixels are tried all at once, and what is nearest wins. Twice as many pixels a side are
drawn as wanted and averaged.
"""

from __future__ import annotations

import numpy as np

from generation_service.core.procedural import ProceduralScene, displayed, hazed, sky_rgb
from praxiscope_worlds import Camera

_NEAR_M = 0.15
_SUPERSAMPLING = 2
_PIXELS_AT_A_TIME = 4_000_000


def draw(scene: ProceduralScene, camera: Camera) -> np.ndarray:
    """One picture, [H, W, 3] RGB."""
    width, height = _SUPERSAMPLING * camera.width_px, _SUPERSAMPLING * camera.height_px
    picture, depth = _surfaces(scene, camera, width, height)
    rays = _rays(camera, width, height)
    lengths = np.linalg.norm(rays, axis=-1)
    world = (rays / lengths[..., None]) @ camera.world_from_camera[:3, :3].T
    # The colours of corners are as displayed; haze lies over them as light does, so they are taken back to light and on again.
    linear = hazed(_linear(picture), np.where(np.isfinite(depth), depth, 0) * lengths, scene.air)
    sky = sky_rgb(world, scene.air)
    whole = np.where(np.isfinite(depth)[..., None], displayed(linear), displayed(sky)).astype(np.float64)
    blocks = whole.reshape(camera.height_px, _SUPERSAMPLING, camera.width_px, _SUPERSAMPLING, 3)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)


def _rays(camera: Camera, width: int, height: int) -> np.ndarray:
    columns = (np.arange(width) + 0.5) / _SUPERSAMPLING
    rows = (np.arange(height) + 0.5) / _SUPERSAMPLING
    x = (columns - camera.centre_px[0]) / camera.focal_px[0]
    y = (rows - camera.centre_px[1]) / camera.focal_px[1]
    return np.stack([*np.broadcast_arrays(x[None, :], y[:, None]), np.ones((height, width))], axis=-1)


def _surfaces(scene: ProceduralScene, camera: Camera, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    mesh = scene.mesh
    assert mesh.colors_rgb is not None
    pose = camera.camera_from_world
    points = mesh.vertices_m @ pose[:3, :3].T + pose[:3, 3]
    z = points[:, 2]
    safe = np.maximum(z, _NEAR_M)
    x = _SUPERSAMPLING * (camera.focal_px[0] * points[:, 0] / safe + camera.centre_px[0])
    y = _SUPERSAMPLING * (camera.focal_px[1] * points[:, 1] / safe + camera.centre_px[1])
    corners = np.stack([x, y], axis=-1)[mesh.faces]
    low = np.floor(corners.min(axis=1)).astype(int)
    high = np.ceil(corners.max(axis=1)).astype(int)
    # Surfaces that face away are drawn too, as most have only one side; of closed things the nearer side wins anyway.
    is_seen = (z[mesh.faces].min(axis=1) > _NEAR_M) & (high > 0).all(axis=1) & (low < [width, height]).all(axis=1)
    low, high = np.maximum(low, 0), np.minimum(high, [width, height])
    sizes = np.maximum((high - low).max(axis=1), 1)
    depth = np.full(width * height, np.inf)
    picture = np.zeros((width * height, 3))
    level = 1
    while level < 2 * max(width, height):
        chosen = np.flatnonzero(is_seen & (sizes <= level) & (sizes > level // 2))
        step = max(1, _PIXELS_AT_A_TIME // level**2)
        for start in range(0, len(chosen), step):
            _fill(picture, depth, corners, low, level, chosen[start : start + step], mesh, z, (width, height))
        level *= 2
    return picture.reshape(height, width, 3), depth.reshape(height, width)


def _fill(picture, depth, corners, low, level, chosen, mesh, z, size) -> None:  # noqa: ANN001
    width, height = size
    offsets = np.stack(np.meshgrid(np.arange(level), np.arange(level), indexing="xy"), axis=-1).reshape(-1, 2)
    pixels = low[chosen][:, None] + offsets  # [T, P, 2]
    a, b, c = (corners[chosen, i][:, None].astype(np.float32) for i in range(3))
    place = pixels.astype(np.float32) + np.float32(0.5)

    def turn(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> np.ndarray:
        return (q[..., 0] - p[..., 0]) * (r[..., 1] - p[..., 1]) - (q[..., 1] - p[..., 1]) * (r[..., 0] - p[..., 0])

    area = turn(a, b, c)
    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.stack([turn(b, c, place), turn(c, a, place), turn(a, b, place)], axis=-1) / area[..., None]
    is_inside = (shares >= 0).all(axis=-1) & (pixels < [width, height]).all(axis=-1)
    i_triangle, i_pixel = np.nonzero(is_inside)
    faces = mesh.faces[chosen[i_triangle]]
    # Shares on the screen become shares in space by the inverse depths.
    weights = shares[i_triangle, i_pixel] / z[faces]
    found = 1 / weights.sum(axis=1)
    code = pixels[i_triangle, i_pixel] @ [1, width]
    order = np.argsort(-found, kind="stable")
    code, found, weights, faces = code[order], found[order], weights[order], faces[order]
    is_nearer = found < depth[code]
    code, found, weights, faces = code[is_nearer], found[is_nearer], weights[is_nearer], faces[is_nearer]
    # Of several for one pixel the last written stays, which is the nearest.
    depth[code] = found
    picture[code] = np.einsum("nk,nkc->nc", weights * found[:, None], mesh.colors_rgb[faces].astype(np.float64))


def _linear(shown: np.ndarray) -> np.ndarray:
    """Light of displayed colours: the inverse of `displayed`, by a table."""
    light = np.concatenate([np.linspace(0, 1, 4000), np.linspace(1.001, 12, 4000)])
    table = displayed(np.repeat(light[:, None], 3, axis=1))[:, 0].astype(np.float64)
    return np.interp(shown, table, light)
