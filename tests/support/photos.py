"""Photos of a place of our own, for whoever makes a world of photos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from generation_service.core.procedural.attributes import attributes_from_words
from generation_service.core.procedural.scene import gaussians_on, make_scene, orbit
from praxiscope_worlds.kernels import CpuKernels, RenderOptions

_SIZE_PX = {"width_px": 360, "height_px": 240}
_SKY_RGB = (0.7, 0.8, 0.9)


def take_photos(kernels_folder: Path, *, count: int) -> dict[str, bytes]:
    """Takes JPEGs from half a circle around the middle of a small landscape; the more, the closer together."""
    scene = make_scene(attributes_from_words("two houses, trees, grass, flat, clear noon"), seed=4)
    world = gaussians_on(scene, count=80_000)
    kernels = CpuKernels(kernels_folder, thread_count=2)
    taken: dict[str, bytes] = {}
    for index, camera in enumerate(orbit(scene, count=2 * count, **_SIZE_PX)[:count]):
        drawn = kernels.render(world, camera, RenderOptions(background_rgb=_SKY_RGB)).color_rgb
        levels = np.rint(np.clip(drawn, 0, 1) * 255).astype(np.uint8)
        _, encoded = cv2.imencode(".jpg", np.ascontiguousarray(levels[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 95])
        taken[f"{index:02}.jpg"] = encoded.tobytes()
    return taken
