"""Small worlds and cameras for tests."""

from __future__ import annotations

import numpy as np

from praxiscope_worlds import SH_COUNTS, Camera, GaussianWorld

# The camera's y points down and its z forward, the world's y up and its z to the viewer.
LOOKING_FORWARD = np.diag([1.0, -1.0, -1.0, 1.0])


def make_camera(width_px: int, height_px: int, *, world_from_camera: np.ndarray = LOOKING_FORWARD) -> Camera:
    """A camera of about 50 degrees at the origin that looks along -z; its centre is not quite the picture's."""
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=(1.1 * max(width_px, height_px), 1.05 * max(width_px, height_px)),
        centre_px=(width_px / 2 + 0.3, height_px / 2 - 0.2),
        world_from_camera=world_from_camera,
    )


def make_world(count: int, *, sh_degree: int = 0, seed: int = 0, log_scale: float = -1.8) -> GaussianWorld:
    """Gaussians of all shapes, four metres in front of the camera and around what it sees; some behind others."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    return GaussianWorld(
        means_m=normal(count, 3) * np.array([1.2, 1.0, 1.0], np.float32) + np.array([0, 0, -4], np.float32),
        quaternions_wxyz=normal(count, 4),
        log_scales=0.7 * normal(count, 3) + np.float32(log_scale),
        opacity_logits=1.5 * normal(count),
        sh=0.4 * normal(count, SH_COUNTS[sh_degree], 3),
    )
