"""What the servicer needs; `adapters` gives it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from praxiscope.rendering.v1 import rendering_service_pb2, world_rendering_service_pb2
from praxiscope_common.jobs.operations import Operation
from praxiscope_worlds import Camera, Orbit
from rendering_service.core.frame_budget import Detail
from rendering_service.core.live_view import LiveFrame, LiveStart
from rendering_service.core.types import Still, StillQuestion
from rendering_service.core.world_view import DrawnView, ViewQuestion


class OverlayStarter(Protocol):
    """Accepts long work."""

    async def start(self, request: rendering_service_pb2.RenderOverlayRequest) -> Operation: ...


class StillDrawer(Protocol):
    """Draws single frames."""

    async def draw(self, question: StillQuestion) -> Still: ...


class WorldJobStarter(Protocol):
    """Accepts long work on worlds."""

    async def start_turntable(self, request: world_rendering_service_pb2.RenderTurntableRequest) -> Operation: ...

    async def start_flight(self, request: world_rendering_service_pb2.RenderFlightRequest) -> Operation: ...

    async def start_picture(self, request: world_rendering_service_pb2.RenderPictureRequest) -> Operation: ...

    async def start_export(self, request: world_rendering_service_pb2.ExportWorldRequest) -> Operation: ...


class ViewDrawer(Protocol):
    """Draws single views of worlds."""

    async def draw(self, question: ViewQuestion) -> DrawnView: ...


class LiveWorld(Protocol):
    """A world that a stream moves through."""

    def camera(self, view: Orbit | Camera) -> Camera: ...
    async def draw(self, camera: Camera, detail: Detail) -> LiveFrame: ...


class LiveWorlds(Protocol):
    """Opens worlds for streams."""

    def open(self, start: LiveStart) -> AbstractAsyncContextManager[LiveWorld]: ...
