"""Worlds that somebody moves through: opened once, then drawn from wherever they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import cv2
import numpy as np

from praxiscope_common.credentials import ServiceIdentity
from praxiscope_world_assets import OpenWorld, WorldReader
from praxiscope_worlds import Camera, GaussianWorld, Orbit, orbit_camera
from praxiscope_worlds.kernels import SplatKernels
from rendering_service.core.errors import QueueFullError
from rendering_service.core.frame_budget import Detail, scaled_camera, thinned
from rendering_service.core.live_view import LiveFrame, LiveStart
from rendering_service.core.world_view import color_levels

_RETRY_AFTER_S = 1.0
_JPEG, _PNG = "image/jpeg", "image/png"


class LiveWorld:
    """One world of one stream. Draws one picture at a time.

    Args:
        opened: The world.
        start: What was asked for.
        kernels: What draws.
        threads: Where it is drawn.
    """

    def __init__(self, opened: OpenWorld, start: LiveStart, kernels: SplatKernels, threads: ThreadPoolExecutor) -> None:
        """Keeps what it needs."""
        self._opened, self._start, self._kernels, self._threads = opened, start, kernels, threads
        self._parts: dict[float, GaussianWorld] = {1.0: opened.gaussians}

    def camera(self, view: Orbit | Camera) -> Camera:
        """Returns the camera of a view.

        Raises:
            InvalidViewError: There is none.
        """
        if isinstance(view, Camera):
            return view
        return orbit_camera(self._opened.bounds, view, width_px=self._start.width_px, height_px=self._start.height_px)

    async def draw(self, camera: Camera, detail: Detail) -> LiveFrame:
        """Draws one picture.

        Raises:
            WorldTooDenseError: It is more than the kernels take.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._draw, camera, detail)

    def _draw(self, camera: Camera, detail: Detail) -> LiveFrame:
        started_s = time.perf_counter()
        small = camera if detail.scale == 1.0 else scaled_camera(camera, detail.scale)
        drawn = self._kernels.render(self._part(detail.gaussian_share), small, self._opened.options)
        pixels = np.ascontiguousarray(color_levels(drawn.color_rgb)[..., ::-1])
        kind, options = (
            (".png", []) if self._start.is_png else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, self._start.jpeg_quality])
        )
        _, encoded = cv2.imencode(kind, pixels, options)
        return LiveFrame(
            content=encoded.tobytes(),
            content_type=_PNG if self._start.is_png else _JPEG,
            width_px=small.width_px,
            height_px=small.height_px,
            detail=detail,
            elapsed_ms=1e3 * (time.perf_counter() - started_s),
        )

    def _part(self, share: float) -> GaussianWorld:
        if share not in self._parts:
            self._parts[share] = thinned(self._opened.gaussians, share)
        return self._parts[share]


class LiveViews:
    """Opens worlds for streams, a few at a time.

    Args:
        worlds: Finds and reads worlds.
        kernels: What draws them.
        identity: Gets tokens to act for the caller.
        max_at_once: How many streams there may be; more are refused.
    """

    def __init__(
        self, worlds: WorldReader, kernels: SplatKernels, identity: ServiceIdentity, *, max_at_once: int
    ) -> None:
        """Keeps what it needs."""
        self._worlds, self._kernels, self._identity = worlds, kernels, identity
        self._threads = ThreadPoolExecutor(max_at_once, thread_name_prefix="live")
        self._free_count = max_at_once

    @asynccontextmanager
    async def open(self, start: LiveStart) -> AsyncIterator[LiveWorld]:
        """Opens a world for one stream.

        Raises:
            QueueFullError: There are too many streams.
            DomainError: The world cannot be read; see `WorldReader`.
        """
        if self._free_count <= 0:
            raise QueueFullError(retry_after_s=_RETRY_AFTER_S)
        self._free_count -= 1
        try:
            opened = await self._worlds.read(start.world, token=await self._identity.token_for_caller())
            yield LiveWorld(opened, start, self._kernels, self._threads)
        finally:
            self._free_count += 1

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)
