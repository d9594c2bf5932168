"""A stream of views: the newest pose is drawn, those that came while the last picture was drawn are dropped and counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from praxiscope.rendering.v1 import world_rendering_service_pb2
from praxiscope_common.newest import Newest
from praxiscope_common.server.pipeline import StreamStartNeededError
from praxiscope_worlds import InvalidViewError
from rendering_service.api import world_convert
from rendering_service.api.ports import LiveWorld, LiveWorlds
from rendering_service.core.frame_budget import DETAILS, FrameBudget
from rendering_service.core.live_view import LiveStart

_Request = world_rendering_service_pb2.StreamViewRequest
_Response = world_rendering_service_pb2.StreamViewResponse
# So many pictures' time without another pose, and somebody looks at what they see.
_QUIET_FRAMES = 2.0
_MAX_IDLE_S = 120.0


async def stream_views(worlds: LiveWorlds, requests: AsyncIterator[_Request]) -> AsyncIterator[_Response]:
    """Yields pictures until the stream ends.

    Raises:
        StreamStartNeededError: The first message is no start, or a later one is.
        InvalidViewError: A pose cannot be looked from, or its picture is larger than the stream's may be.
        DomainError: The world cannot be opened or drawn.
    """
    first = await anext(requests)
    if first.WhichOneof("message") != "start":
        raise StreamStartNeededError()
    start = world_convert.live_start_from(first.start)
    async with worlds.open(start) as world:
        newest = Newest[_Request.Pose]()
        reader = asyncio.create_task(_read(requests, newest))
        try:
            async for response in _draw(world, start, newest):
                yield response
            if reader.done():
                await reader  # what was wrong with the stream is raised here
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def _read(requests: AsyncIterator[_Request], newest: Newest[_Request.Pose]) -> None:
    try:
        async for request in requests:
            if request.WhichOneof("message") != "pose":
                raise StreamStartNeededError()
            newest.put(request.pose)
    finally:
        newest.end()


async def _draw(world: LiveWorld, start: LiveStart, newest: Newest[_Request.Pose]) -> AsyncIterator[_Response]:
    budget = FrameBudget(start.frame_time_ms)
    while True:
        try:
            async with asyncio.timeout(_MAX_IDLE_S):
                taken = await newest.take()
        except TimeoutError:
            return
        if taken is None:
            return
        pose, dropped_count = taken
        camera = world.camera(world_convert.live_view_from(pose))
        if camera.width_px * camera.height_px > world_convert.MAX_LIVE_PIXELS:
            raise InvalidViewError(
                f"A picture of {camera.width_px} x {camera.height_px} is larger than a stream's may be;"
                f" {world_convert.MAX_LIVE_PIXELS} pixels are allowed."
            )
        frame = await world.draw(camera, budget.detail)
        budget.note(frame.detail, frame.elapsed_ms)
        yield world_convert.live_frame_message(frame, pose.number, dropped_count)
        if frame.detail != DETAILS[0] and await newest.is_quiet(_QUIET_FRAMES * start.frame_time_ms / 1e3):
            full = await world.draw(camera, DETAILS[0])
            yield world_convert.live_frame_message(full, pose.number, 0)
