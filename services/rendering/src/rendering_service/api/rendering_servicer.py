"""RenderingService: convert, call, convert."""

from __future__ import annotations

import grpc
from google.longrunning import operations_pb2

from praxiscope.rendering.v1 import rendering_service_pb2, rendering_service_pb2_grpc
from praxiscope_common.jobs.operations import to_message
from rendering_service.api import convert
from rendering_service.api.ports import OverlayStarter, StillDrawer

Context = grpc.aio.ServicerContext


class RenderingServicer(rendering_service_pb2_grpc.RenderingServiceServicer):
    """Answers for pictures."""

    def __init__(self, overlays: OverlayStarter, stills: StillDrawer) -> None:
        """Uses a starter of overlays and a drawer of stills."""
        self._overlays, self._stills = overlays, stills

    async def RenderOverlay(
        self, request: rendering_service_pb2.RenderOverlayRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts drawing over a video."""
        return to_message(await self._overlays.start(request))

    async def RenderStill(
        self, request: rendering_service_pb2.RenderStillRequest, context: Context
    ) -> rendering_service_pb2.RenderStillResponse:
        """Draws one frame."""
        return convert.still_message(await self._stills.draw(convert.question_from(request)))
