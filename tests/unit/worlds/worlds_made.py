"""Worlds and meshes that the tests of files share."""

from __future__ import annotations

import cv2
import numpy as np

from praxiscope_worlds import SH_COUNTS, GaussianWorld, Mesh


def make_world(count: int, *, degree: int, seed: int = 7) -> GaussianWorld:
    """A world of a few metres, its harmonics inside [-0.6, 0.6]; no two axes look alike, so that no turn goes unseen."""
    rng = np.random.default_rng(seed)
    spread = np.array([4.0, 1.0, 2.0])
    return GaussianWorld(
        means_m=(rng.normal(size=(count, 3)) * spread + [1.0, 5.0, -3.0]).astype(np.float32),
        quaternions_wxyz=rng.normal(size=(count, 4)).astype(np.float32),
        log_scales=rng.uniform(-6, 0, (count, 3)).astype(np.float32),
        opacity_logits=rng.uniform(-4, 4, count).astype(np.float32),
        sh=rng.uniform(-0.6, 0.6, (count, SH_COUNTS[degree], 3)).astype(np.float32),
    )


def make_mesh(*, has_colors: bool = True, has_texture: bool = True, seed: int = 7) -> Mesh:
    """A bent sheet of 5 x 4 corners."""
    rng = np.random.default_rng(seed)
    columns, rows = np.meshgrid(np.arange(5), np.arange(4))
    shares = np.stack([columns / 4, rows / 3], axis=-1).reshape(-1, 2).astype(np.float32)
    corner = np.arange(20).reshape(4, 5)
    low = np.stack([corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:]], axis=-1).reshape(-1, 3)
    high = np.stack([corner[:-1, :-1], corner[1:, 1:], corner[1:, :-1]], axis=-1).reshape(-1, 3)
    heights = np.sin(3 * shares[:, :1]) + shares[:, 1:] ** 2
    return Mesh(
        vertices_m=np.concatenate([shares * [2, 3], heights], axis=1).astype(np.float32),
        faces=np.concatenate([low, high]).astype(np.int32),
        colors_rgb=rng.integers(0, 256, (20, 3)).astype(np.uint8) if has_colors else None,
        uvs=shares if has_texture else None,
        texture_rgb=rng.integers(0, 256, (7, 9, 3)).astype(np.uint8) if has_texture else None,
    )


def decode(encoded: bytes, max_pixels: int) -> np.ndarray:
    """A decoder as `praxiscope_media` gives one; tests of this library need no other."""
    picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture.shape[0] * picture.shape[1] <= max_pixels
    return picture


def unit(quaternions: np.ndarray) -> np.ndarray:
    """Quaternions of length 1."""
    return quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)


def covariances(world: GaussianWorld) -> np.ndarray:
    """What the Gaussians' shapes are, whatever the order and the signs of their own axes, [N, 3, 3]."""
    w, x, y, z = unit(world.quaternions_wxyz.astype(np.float64)).T
    rotation = np.stack(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    ).transpose(2, 0, 1)
    variances = np.exp(2 * world.log_scales.astype(np.float64))
    return np.einsum("nij,nj,nkj->nik", rotation, variances, rotation)
