"""What the servicer needs of the rest."""

from __future__ import annotations

from typing import Protocol

from praxiscope.generation.v1 import generation_service_pb2
from praxiscope_common.jobs.operations import Operation


class JobStarter(Protocol):
    """Accepts jobs, and shows how they get on."""

    async def reconstruct(self, request: generation_service_pb2.ReconstructWorldRequest) -> Operation: ...

    async def generate(self, request: generation_service_pb2.GenerateWorldRequest) -> Operation: ...

    async def extract_mesh(self, request: generation_service_pb2.ExtractMeshRequest) -> Operation: ...

    async def preview(self, operation: str) -> bytes: ...
