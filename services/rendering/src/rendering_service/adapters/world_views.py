"""One view of a world as a PNG."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np

from praxiscope_common.credentials import ServiceIdentity
from praxiscope_world_assets import OpenWorld, WorldReader
from praxiscope_worlds import Camera, Orbit, orbit_camera
from praxiscope_worlds.kernels import SplatKernels
from rendering_service.core.errors import QueueFullError, StillTooLargeError
from rendering_service.core.world_view import (
    DrawnView,
    Layer,
    ViewQuestion,
    color_levels,
    depth_levels,
    normal_levels,
)

_MAX_PNG_BYTES = 4_000_000  # an answer may have 4 MiB
_RETRY_AFTER_S = 1.0
ENGINE = "splat-cpu"
ENGINE_REASON = "The world is made of Gaussians, and this installation draws them on its processor."


class WorldViews:
    """Draws single views, a few at a time.

    Args:
        worlds: Finds and reads worlds.
        identity: Gets tokens to act for the caller.
        kernels: What draws.
        max_at_once: How many are drawn at once; more are refused.
    """

    def __init__(
        self, worlds: WorldReader, identity: ServiceIdentity, kernels: SplatKernels, *, max_at_once: int
    ) -> None:
        """Keeps what it needs."""
        self._worlds, self._identity, self._kernels = worlds, identity, kernels
        self._threads = ThreadPoolExecutor(max_at_once, thread_name_prefix="views")
        self._free_count = max_at_once

    async def draw(self, question: ViewQuestion) -> DrawnView:
        """Draws one view.

        Raises:
            StillTooLargeError: If the picture is larger than an answer may be.
            QueueFullError: If too many are being drawn.
            DomainError: If the world cannot be read or drawn; see `WorldReader` and the kernels.
        """
        if self._free_count <= 0:
            raise QueueFullError(retry_after_s=_RETRY_AFTER_S)
        self._free_count -= 1
        try:
            token = await self._identity.token_for_caller()
            world = await self._worlds.read(question.world, token=token)
            camera = await self._camera(question, world, token)
            run = asyncio.get_running_loop().run_in_executor
            return await run(self._threads, self._draw, question, world, camera)
        finally:
            self._free_count += 1

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _camera(self, question: ViewQuestion, world: OpenWorld, token: str) -> Camera:
        match question.view:
            case Camera():
                return question.view
            case Orbit():
                size = {"width_px": question.width_px, "height_px": question.height_px}
                return orbit_camera(world.bounds, question.view, **size)
            case index:
                return await self._worlds.read_camera(question.world, index, token=token)

    def _draw(self, question: ViewQuestion, world: OpenWorld, camera: Camera) -> DrawnView:
        options = replace(world.options, has_geometry=question.layer is not Layer.COLOR)
        drawn = self._kernels.render(world.gaussians, camera, options)
        near_m = far_m = 0.0
        if question.layer is Layer.DEPTH and drawn.depth_m is not None:
            picture, near_m, far_m = depth_levels(drawn.depth_m)
        elif question.layer is Layer.NORMAL and drawn.normals is not None:
            picture = np.ascontiguousarray(normal_levels(drawn.normals, camera)[..., ::-1])
        else:
            picture = np.ascontiguousarray(color_levels(drawn.color_rgb)[..., ::-1])
        _, encoded = cv2.imencode(".png", picture)
        png = encoded.tobytes()
        if len(png) > _MAX_PNG_BYTES:
            raise StillTooLargeError(
                f"The picture has {len(png)} bytes and an answer at most {_MAX_PNG_BYTES}; ask for a smaller one.",
                metadata={"size_bytes": str(len(png))},
            )
        return DrawnView(
            png=png,
            width_px=camera.width_px,
            height_px=camera.height_px,
            engine=ENGINE,
            engine_reason=ENGINE_REASON,
            near_m=near_m,
            far_m=far_m,
        )
