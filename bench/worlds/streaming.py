"""How many pictures a second a stream of views has at each detail, and how far each is from the picture in full."""

from __future__ import annotations

import statistics
import time

import cv2
import numpy as np

from bench.worlds.scenes import make_garden
from praxiscope_worlds.kernels import CpuKernels, RenderOptions
from rendering_service.core.frame_budget import DETAILS, scaled_camera, thinned
from rendering_service.core.world_view import color_levels

_ROUNDS = 15
_SIZE_PX = (960, 540)
_JPEG_QUALITY = 85


def time_streaming(kernels: CpuKernels) -> None:
    """Prints a table; whoever streams chooses the detail by the time that a picture may take, so no figure has a goal."""
    world, camera = make_garden()
    camera = scaled_camera(camera, _SIZE_PX[0] / camera.width_px)
    parts = {share: world if share == 1.0 else thinned(world, share) for share in {d.gaussian_share for d in DETAILS}}
    took: list[list[float]] = [[] for _ in DETAILS]
    pictures: list[np.ndarray] = [np.zeros(0)] * len(DETAILS)
    for _ in range(_ROUNDS):
        for place, detail in enumerate(DETAILS):
            started_s = time.perf_counter()
            small = scaled_camera(camera, detail.scale)
            levels = color_levels(kernels.render(parts[detail.gaussian_share], small, RenderOptions()).color_rgb)
            cv2.imencode(".jpg", levels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
            took[place].append(1e3 * (time.perf_counter() - started_s))
            pictures[place] = levels
    full = pictures[0].astype(np.float64)
    print(
        f"\nstream of views: {len(world)} Gaussians, {camera.width_px} x {camera.height_px} in full, JPEG {_JPEG_QUALITY}; {kernels.level}"
    )
    for detail, times_ms, picture in zip(DETAILS, took, pictures, strict=True):
        enlarged = cv2.resize(picture, (full.shape[1], full.shape[0]), interpolation=cv2.INTER_LINEAR).astype(
            np.float64
        )
        error = float(((enlarged - full) ** 2).mean())
        psnr_db = 10 * np.log10(255.0**2 / error) if error else float("inf")
        middle_ms = statistics.median(times_ms)
        print(
            f"  {detail.scale:5.3f} of the sides, {detail.gaussian_share:4.2f} of the Gaussians: {middle_ms:6.1f} ms"
            f" ({1e3 / middle_ms:5.1f} pictures/s), {middle_ms / statistics.median(took[0]):4.2f} of the whole (thought: {detail.cost:4.2f}), {psnr_db:5.1f} dB"
        )
