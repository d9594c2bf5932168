"""What the servicer needs; `adapters` gives it."""

from __future__ import annotations

from typing import Protocol

from praxiscope.tracking.v1 import tracking_service_pb2
from praxiscope_common.jobs.operations import Operation


class JobStarter(Protocol):
    """Accepts long work."""

    async def start(self, request: tracking_service_pb2.TrackDetectionsRequest) -> Operation:
        """Checks that the detections are there and writes the operation and its job."""
        ...
