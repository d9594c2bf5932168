"""Small worlds made on the spot."""

from __future__ import annotations

import json
import math

import numpy as np

from praxiscope_worlds import Camera, GaussianWorld, Mesh
from praxiscope_worlds.formats import write_world_file


def make_world(count: int = 400, *, seed: int = 1, scale_m: float = 0.05) -> GaussianWorld:
    """A ball of coloured Gaussians around the origin."""
    random = np.random.default_rng(seed)
    return GaussianWorld(
        means_m=random.normal(0, 0.5, (count, 3)).astype(np.float32),
        quaternions_wxyz=np.tile(np.float32([1, 0, 0, 0]), (count, 1)),
        log_scales=np.full((count, 3), math.log(scale_m), np.float32),
        opacity_logits=np.full(count, 3.0, np.float32),
        sh=random.uniform(-1.5, 1.5, (count, 1, 3)).astype(np.float32),
    )


def world_file(world: GaussianWorld | Mesh, format_name: str = "ply") -> bytes:
    """A world as a file."""
    return b"".join(write_world_file(world, format_name=format_name))


def make_triangle() -> Mesh:
    """The least mesh."""
    return Mesh(vertices_m=np.eye(3, dtype=np.float32), faces=np.array([[0, 1, 2]], np.int32))


def camera_in_front(width_px: int = 64, height_px: int = 48) -> Camera:
    """A camera three units along z that looks back at the origin."""
    world_from_camera = np.diag([1.0, -1.0, -1.0, 1.0])
    world_from_camera[2, 3] = 3.0
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=(60.0, 60.0),
        centre_px=(width_px / 2, height_px / 2),
        world_from_camera=world_from_camera,
    )


def cameras_file(*cameras: Camera) -> bytes:
    """What a reconstruction stores of its cameras."""
    return json.dumps(
        [
            {
                "name": f"{index}.jpg",
                "width_px": camera.width_px,
                "height_px": camera.height_px,
                "focal_px": list(camera.focal_px),
                "centre_px": list(camera.centre_px),
                "world_from_camera": camera.world_from_camera.tolist(),
            }
            for index, camera in enumerate(cameras)
        ]
    ).encode()
