"""One view of a world as a PNG."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

from praxiscope_common.credentials import ServiceIdentity
from praxiscope_worlds import Bounds, Camera, InvalidViewError, Orbit, orbit_camera
from rendering_service.adapters.world_drawer import DrawableWorld, WorldDrawer
from rendering_service.core.engines import Engine
from rendering_service.core.errors import QueueFullError, StillTooLargeError
from rendering_service.core.panorama import Panorama
from rendering_service.core.world_view import (
    DrawnView,
    Layer,
    ViewQuestion,
    depth_levels,
    normal_levels,
)

_MAX_PNG_BYTES = 4_000_000  # an answer may have 4 MiB
_RETRY_AFTER_S = 1.0


class WorldViews:
    """Draws single views, a few at a time.

    Args:
        drawer: Opens worlds and draws them.
        identity: Gets tokens to act for the caller.
        max_at_once: How many are drawn at once; more are refused. Of those that trace paths, which take all processors, one at a time.
        timeout_s: Most seconds that a view of a mesh may take.
    """

    def __init__(self, drawer: WorldDrawer, identity: ServiceIdentity, *, max_at_once: int, timeout_s: float) -> None:
        """Keeps what it needs."""
        self._drawer, self._identity = drawer, identity
        self._threads = ThreadPoolExecutor(max_at_once, thread_name_prefix="views")
        self._free_count, self._timeout_s = max_at_once, timeout_s
        self._tracing = asyncio.Lock()

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
            given = await self._given_camera(question, token)
            size = (question.width_px, question.height_px) if given is None else (given.width_px, given.height_px)
            world = await self._drawer.open(
                question.world, question.settings, layer=question.layer, pixel_count=size[0] * size[1], token=token
            )
            camera = given or self._orbit_camera(question, world.bounds)
            if world.choice.engine is Engine.PATH_TRACING:
                async with self._tracing:
                    return await self._draw_in_thread(question, world, camera)
            return await self._draw_in_thread(question, world, camera)
        finally:
            self._free_count += 1

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _given_camera(self, question: ViewQuestion, token: str) -> Camera | None:
        """The camera of one's own, or of one of the world's pictures; None where it depends on where the world is."""
        match question.view:
            case Camera():
                return question.view
            case Orbit():
                return None
            case Panorama():
                raise InvalidViewError("A panorama is a large picture; ask for it with RenderPicture.")
            case index:
                return await self._drawer.worlds.read_camera(question.world, index, token=token)

    def _orbit_camera(self, question: ViewQuestion, bounds: Bounds) -> Camera:
        assert isinstance(question.view, Orbit)  # the other ones are given
        return orbit_camera(bounds, question.view, width_px=question.width_px, height_px=question.height_px)

    async def _draw_in_thread(self, question: ViewQuestion, world: DrawableWorld, camera: Camera) -> DrawnView:
        should_stop = threading.Event()
        run = asyncio.get_running_loop().run_in_executor
        try:
            return await run(self._threads, self._draw, question, world, camera, should_stop)
        finally:
            should_stop.set()  # where the caller went away, a mesh is drawn no further

    def _draw(
        self, question: ViewQuestion, world: DrawableWorld, camera: Camera, should_stop: threading.Event
    ) -> DrawnView:
        with self._drawer.drawing(world, should_stop=should_stop.is_set, timeout_s=self._timeout_s) as draw:
            drawn = draw(camera, question.layer)
        near_m = far_m = 0.0
        match question.layer:
            case Layer.DEPTH:
                picture, near_m, far_m = depth_levels(drawn)
            case Layer.NORMAL:
                picture = np.ascontiguousarray(normal_levels(drawn, camera)[..., ::-1])
            case Layer.COLOR:
                picture = np.ascontiguousarray(drawn[..., ::-1])
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
            engine=world.choice.name,
            engine_reason=world.choice.reason,
            near_m=near_m,
            far_m=far_m,
        )
