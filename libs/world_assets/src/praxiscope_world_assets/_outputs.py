"""A world as the files of its asset."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np

from praxiscope_assets import OutputFolder, pieces_from_thread
from praxiscope_worlds import Camera, GaussianWorld
from praxiscope_worlds.formats import FORMATS, write_world_file
from praxiscope_worlds.kernels import RenderOptions, SplatKernels

THUMBNAIL_SIDE_PX = 512


async def put_world(
    outputs: OutputFolder, world: GaussianWorld, described: Mapping[str, Any], thumbnail: bytes
) -> None:
    """Writes what every world has: `world.ply`, `world.spz`, `world.json`, `thumbnail.png`."""
    for name in ("ply", "spz"):
        written = FORMATS[name]
        content = pieces_from_thread(write_world_file(world, format_name=name))
        await outputs.put(f"world{written.extension}", written.media_type, content)
    await outputs.put("world.json", "application/json", json.dumps(described, indent=1).encode())
    await outputs.put("thumbnail.png", "image/png", thumbnail)


def draw_thumbnail(kernels: SplatKernels, world: GaussianWorld, camera: Camera, options: RenderOptions) -> bytes:
    """Draws a world from a camera, reduced to the size of a thumbnail; returns a PNG file's bytes."""
    scale = min(1.0, THUMBNAIL_SIDE_PX / max(camera.width_px, camera.height_px))
    small = Camera(
        width_px=max(1, round(camera.width_px * scale)),
        height_px=max(1, round(camera.height_px * scale)),
        focal_px=(camera.focal_px[0] * scale, camera.focal_px[1] * scale),
        centre_px=(camera.centre_px[0] * scale, camera.centre_px[1] * scale),
        world_from_camera=camera.world_from_camera,
    )
    drawn = kernels.render(world, small, options)
    return encode_png(drawn.color_rgb)


def encode_png(picture_rgb: np.ndarray) -> bytes:
    """Returns a PNG file's bytes of a picture [H, W, 3] from 0 to 1."""
    levels = np.rint(np.clip(picture_rgb, 0.0, 1.0) * 255.0).astype(np.uint8)
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(levels[..., ::-1]))
    return encoded.tobytes()
