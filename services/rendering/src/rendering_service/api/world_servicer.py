"""WorldRenderingService: convert, call, convert."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
from google.longrunning import operations_pb2

from praxiscope.rendering.v1 import world_rendering_service_pb2, world_rendering_service_pb2_grpc
from praxiscope_common.jobs.operations import to_message
from rendering_service.api import world_convert
from rendering_service.api.live_view import stream_views
from rendering_service.api.ports import LiveWorlds, ViewDrawer, WorldJobStarter

Context = grpc.aio.ServicerContext


class WorldRenderingServicer(world_rendering_service_pb2_grpc.WorldRenderingServiceServicer):
    """Answers for pictures of worlds, and for worlds in other formats."""

    def __init__(self, jobs: WorldJobStarter, views: ViewDrawer, live: LiveWorlds) -> None:
        """Uses a starter of jobs, a drawer of views, and worlds for streams."""
        self._jobs, self._views, self._live = jobs, views, live

    async def RenderView(
        self, request: world_rendering_service_pb2.RenderViewRequest, context: Context
    ) -> world_rendering_service_pb2.RenderViewResponse:
        """Draws one view."""
        return world_convert.view_message(await self._views.draw(world_convert.question_from(request)))

    async def StreamView(
        self, request_iterator: AsyncIterator[world_rendering_service_pb2.StreamViewRequest], context: Context
    ) -> AsyncIterator[world_rendering_service_pb2.StreamViewResponse]:
        """Draws for somebody who moves."""
        async for response in stream_views(self._live, request_iterator):
            yield response

    async def RenderTurntable(
        self, request: world_rendering_service_pb2.RenderTurntableRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a flight around a world."""
        return to_message(await self._jobs.start_turntable(request))

    async def RenderFlight(
        self, request: world_rendering_service_pb2.RenderFlightRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a flight along a path, if it is one."""
        world_convert.flight_from(request)
        return to_message(await self._jobs.start_flight(request))

    async def RenderPicture(
        self, request: world_rendering_service_pb2.RenderPictureRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts a large view."""
        return to_message(await self._jobs.start_picture(request))

    async def ExportWorld(
        self, request: world_rendering_service_pb2.ExportWorldRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts writing a world in other formats."""
        return to_message(await self._jobs.start_export(request))
