"""Pictures of a place with their cameras: scaled to what a training takes, some of them held out, points made up where none are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from generation_service.core.types import SparsePoints, View
from praxiscope_worlds import Camera

# Every eighth picture is held out (the habit of the field since Mip-NeRF 360), where as many are left as a world needs.
HELD_OUT_EVERY = 8
# Made-up points lie between these multiples of the distance to where the cameras look, evenly in one over the distance.
_NEAREST, _FARTHEST = 0.4, 4.0
MIN_COUNT_TO_HOLD_OUT = 12


@dataclass(frozen=True, kw_only=True)
class Split:
    """Which pictures a world is made from, and which it is measured on.

    Attributes:
        train: Indices.
        held_out: Indices; none where there are too few pictures.
    """

    train: tuple[int, ...]
    held_out: tuple[int, ...]


def split_pictures(count: int) -> Split:
    """Splits pictures into those that a world is made from and those that are held out."""
    if count < MIN_COUNT_TO_HOLD_OUT:
        return Split(train=tuple(range(count)), held_out=())
    return Split(
        train=tuple(index for index in range(count) if index % HELD_OUT_EVERY),
        held_out=tuple(range(0, count, HELD_OUT_EVERY)),
    )


def fit_size(width_px: int, height_px: int, *, long_side_px: int) -> tuple[int, int]:
    """Returns the size of a picture whose longer side is at most `long_side_px`; pictures are not made larger."""
    scale = min(1.0, long_side_px / max(width_px, height_px))
    return max(1, round(width_px * scale)), max(1, round(height_px * scale))


def scale_camera(camera: Camera, *, width_px: int, height_px: int) -> Camera:
    """Returns the camera of the same picture at another size."""
    scale_x, scale_y = width_px / camera.width_px, height_px / camera.height_px
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=(camera.focal_px[0] * scale_x, camera.focal_px[1] * scale_y),
        centre_px=(camera.centre_px[0] * scale_x, camera.centre_px[1] * scale_y),
        world_from_camera=camera.world_from_camera,
    )


def scatter_points(views: Sequence[View], *, count: int, seed: int) -> SparsePoints:
    """Makes up points for cameras that come without any: pixels drawn at random, each at a random distance, in its colour.

    Args:
        views: Pictures and their cameras, at least one.
        count: How many.
        seed: Where all randomness comes from.

    Returns:
        Points around the place where the cameras look.
    """
    random = np.random.default_rng(seed)
    poses = np.array([view.camera.world_from_camera for view in views])
    middle = _meeting_place(poses)
    positions, colors = np.empty((count, 3)), np.empty((count, 3), np.uint8)
    i_views = random.integers(len(views), size=count)
    inverse = random.uniform(1.0 / _FARTHEST, 1.0 / _NEAREST, size=count)
    places = random.uniform(size=(count, 2))
    for i_view, view in enumerate(views):
        rows = np.flatnonzero(i_views == i_view)
        camera = view.camera
        pixels = places[rows] * (camera.width_px, camera.height_px)
        usual_m = float(np.linalg.norm(poses[i_view, :3, 3] - middle))
        depth_m = usual_m / inverse[rows]
        rays = np.concatenate([(pixels - camera.centre_px) / camera.focal_px, np.ones((len(rows), 1))], axis=1)
        positions[rows] = (rays * depth_m[:, None]) @ poses[i_view, :3, :3].T + poses[i_view, :3, 3]
        columns, lines = pixels.astype(int).T
        colors[rows] = view.image_rgb[lines, columns]
    return SparsePoints(positions_m=positions, colors_rgb=colors)


def _meeting_place(poses: np.ndarray) -> np.ndarray:
    """The point nearest to all lines of sight, in the sense of least squares: [3]. Lines that hardly meet meet far away; then one step ahead."""
    ahead, places = poses[:, :3, 2], poses[:, :3, 3]
    across = np.eye(3) - ahead[:, :, None] * ahead[:, None, :]
    spread = max(float(np.linalg.norm(places - places.mean(axis=0), axis=1).max()), 1e-6)
    # The ridge holds cameras that look the same way to a point a few times their spread ahead.
    ridge = 1e-3 * len(poses)
    guess = (places + 2.0 * spread * ahead).mean(axis=0)
    pull = (across @ places[..., None])[..., 0].sum(axis=0) + ridge * guess
    return np.asarray(np.linalg.solve(across.sum(axis=0) + ridge * np.eye(3), pull), np.float64)
