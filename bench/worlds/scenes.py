"""What is drawn: a garden of our own making, or a stranger's points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial import KDTree

from praxiscope_worlds import SH_C0, Camera, GaussianWorld

GAUSSIAN_COUNT = 100_000
WIDTH_PX, HEIGHT_PX = 800, 600


def make_garden(*, seed: int = 0) -> tuple[GaussianWorld, Camera]:
    """A table in a meadow before a hedge: 100,000 Gaussians, all in view, about 2.5 tiles each, as the garden of MipNeRF360's first points has.

    They lie on surfaces, as trained ones do, small and thin near the table, larger behind.
    """
    random = np.random.default_rng(seed)
    shares = (0.35, 0.35, 0.3)
    table, meadow, hedge = (int(share * GAUSSIAN_COUNT) for share in shares)
    angle, height = random.uniform(0.0, 2.0 * np.pi, table), random.uniform(-0.6, 0.0, table)
    radius = np.where(random.random(table) < 0.5, 0.9, 0.9 * np.sqrt(random.random(table)))
    height = np.where(radius < 0.9, 0.0, height)
    on_table = np.stack([radius * np.cos(angle), height, radius * np.sin(angle) - 4.0], axis=1)
    distance = random.uniform(2.2, 9.0, meadow)
    side = random.uniform(-0.6, 0.6, meadow) * distance
    on_meadow = np.stack([side, -0.62 + 0.03 * random.standard_normal(meadow), -distance], axis=1)
    distance = 9.0 + 2.0 * random.random(hedge)
    in_hedge = np.stack(
        [random.uniform(-0.6, 0.6, hedge) * distance, random.uniform(-0.7, 3.2, hedge), -distance], axis=1
    )
    means = np.concatenate([on_table, on_meadow, in_hedge]).astype(np.float32)
    return _dress(means, np.abs(np.sin(means * 3.0)), random), _look(600.0)


def read_garden(path: Path, *, seed: int = 0) -> tuple[GaussianWorld, Camera]:
    """Points, colours and the first camera of gsplat's `test_garden.npz`, dressed as Gaussians in the same way."""
    random = np.random.default_rng(seed)
    with np.load(path) as garden:
        chosen = random.permutation(len(garden["means3d"]))[:GAUSSIAN_COUNT]
        means, colors = garden["means3d"][chosen].astype(np.float32), garden["colors"][chosen]
        world_from_camera = np.linalg.inv(garden["viewmats"][0].astype(np.float64))
        focal_px = float(garden["Ks"][0, 0, 0]) * WIDTH_PX / float(garden["width"])
    camera = Camera(
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        focal_px=(focal_px, focal_px),
        centre_px=(WIDTH_PX / 2, HEIGHT_PX / 2),
        world_from_camera=world_from_camera,
    )
    return _dress(means, colors, random), camera


def _dress(means: np.ndarray, colors: np.ndarray, random: np.random.Generator) -> GaussianWorld:
    """Gaussians a third as large as the gaps between points, opacities around a half."""
    count = len(means)
    gaps = KDTree(means).query(means, k=4)[0][:, 1:].mean(axis=1)
    log_scales = np.log(0.35 * np.maximum(gaps, 1e-4))[:, None] + 0.3 * random.standard_normal((count, 3))
    return GaussianWorld(
        means_m=means,
        quaternions_wxyz=random.standard_normal((count, 4)).astype(np.float32),
        log_scales=log_scales.astype(np.float32),
        opacity_logits=(0.5 + random.standard_normal(count)).astype(np.float32),
        sh=((colors - 0.5) / SH_C0).astype(np.float32)[:, None, :],
    )


def _look(focal_px: float) -> Camera:
    return Camera(
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        focal_px=(focal_px, focal_px),
        centre_px=(WIDTH_PX / 2, HEIGHT_PX / 2),
        world_from_camera=np.diag([1.0, -1.0, -1.0, 1.0]),
    )
