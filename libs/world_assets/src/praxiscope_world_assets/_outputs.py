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
_PREVIEW_QUALITY = 80
_PREVIEW_QUALITY = 80


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
    return encode_png(_draw_small(kernels, world, camera, options))


def draw_preview(kernels: SplatKernels, world: GaussianWorld, camera: Camera, options: RenderOptions) -> bytes:
    """Draws a world that is being made, in the size of a thumbnail; returns a JPEG file's bytes, some 20 kB."""
    drawn = _levels(_draw_small(kernels, world, camera, options))
    _, encoded = cv2.imencode(
        ".jpg", np.ascontiguousarray(drawn[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, _PREVIEW_QUALITY]
    )
    return encoded.tobytes()


def encode_png(picture_rgb: np.ndarray) -> bytes:
    """Returns a PNG file's bytes of a picture [H, W, 3] from 0 to 1."""
    _, encoded = cv2.imencode(".png", np.ascontiguousarray(_levels(picture_rgb)[..., ::-1]))
    return encoded.tobytes()


def _draw_small(kernels: SplatKernels, world: GaussianWorld, camera: Camera, options: RenderOptions) -> np.ndarray:
    scale = min(1.0, THUMBNAIL_SIDE_PX / max(camera.width_px, camera.height_px))
    small = Camera(
        width_px=max(1, round(camera.width_px * scale)),
        height_px=max(1, round(camera.height_px * scale)),
        focal_px=(camera.focal_px[0] * scale, camera.focal_px[1] * scale),
        centre_px=(camera.centre_px[0] * scale, camera.centre_px[1] * scale),
        world_from_camera=camera.world_from_camera,
    )
    return kernels.render(world, small, options).color_rgb


def _levels(picture_rgb: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(picture_rgb, 0.0, 1.0) * 255.0).astype(np.uint8)
