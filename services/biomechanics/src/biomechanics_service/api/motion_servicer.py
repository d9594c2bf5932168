"""MotionService: convert, call, convert."""

from __future__ import annotations

import grpc
from google.longrunning import operations_pb2

from biomechanics_service.api import convert
from biomechanics_service.api.ports import MotionKeeper
from praxiscope.biomechanics.v1 import motion_pb2, motion_service_pb2, motion_service_pb2_grpc
from praxiscope_common.jobs.operations import to_message

Context = grpc.aio.ServicerContext


class MotionServicer(motion_service_pb2_grpc.MotionServiceServicer):
    """Answers for motions."""

    def __init__(self, motions: MotionKeeper) -> None:
        """Uses the keeper of motions."""
        self._motions = motions

    async def AnalyzeMotion(
        self, request: motion_service_pb2.AnalyzeMotionRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts an analysis."""
        convert.config_from(request)  # what is wrong with it is said now, not when the job runs
        return to_message(await self._motions.start(request))

    async def GetMotion(self, request: motion_service_pb2.GetMotionRequest, context: Context) -> motion_pb2.Motion:
        """Reads a motion in short."""
        return await self._motions.read_summary(request.name)
