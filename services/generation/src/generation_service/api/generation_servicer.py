"""GenerationService: convert, call, convert."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from google.longrunning import operations_pb2

from generation_service.api.ports import JobStarter
from praxiscope.generation.v1 import generation_service_pb2, generation_service_pb2_grpc
from praxiscope_common.jobs.operations import to_message

Context = grpc.aio.ServicerContext


class GenerationServicer(generation_service_pb2_grpc.GenerationServiceServicer):
    """Answers for the making of worlds."""

    def __init__(self, jobs: JobStarter, *, check_model: Callable[[str], None]) -> None:
        """Uses a starter of jobs and a check of models' names."""
        self._jobs, self._check_model = jobs, check_model

    async def ReconstructWorld(
        self, request: generation_service_pb2.ReconstructWorldRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts reconstructing a world."""
        return to_message(await self._jobs.reconstruct(request))

    async def GenerateWorld(
        self, request: generation_service_pb2.GenerateWorldRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts making a world from words."""
        self._check_model(request.model)
        return to_message(await self._jobs.generate(request))

    async def GetPreview(
        self, request: generation_service_pb2.GetPreviewRequest, context: Context
    ) -> generation_service_pb2.GetPreviewResponse:
        """Shows a world that is being trained."""
        return generation_service_pb2.GetPreviewResponse(content=await self._jobs.preview(request.operation))

    async def ExtractMesh(
        self, request: generation_service_pb2.ExtractMeshRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts extracting a world's surface."""
        return to_message(await self._jobs.extract_mesh(request))
