"""What the servicer needs; `adapters` gives it."""

from __future__ import annotations

from typing import Protocol

from praxiscope.rendering.v1 import rendering_service_pb2
from praxiscope_common.jobs.operations import Operation
from rendering_service.core.types import Still, StillQuestion


class OverlayStarter(Protocol):
    """Accepts long work."""

    async def start(self, request: rendering_service_pb2.RenderOverlayRequest) -> Operation: ...


class StillDrawer(Protocol):
    """Draws single frames."""

    async def draw(self, question: StillQuestion) -> Still: ...
