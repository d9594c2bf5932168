"""What the servicer needs; `adapters` gives it."""

from __future__ import annotations

from typing import Protocol

from praxiscope.biomechanics.v1 import motion_pb2, motion_service_pb2
from praxiscope_common.jobs.operations import Operation


class MotionKeeper(Protocol):
    """Accepts analyses and reads what they made."""

    async def start(self, request: motion_service_pb2.AnalyzeMotionRequest) -> Operation: ...
    async def read_summary(self, asset_version: str) -> motion_pb2.Motion: ...
