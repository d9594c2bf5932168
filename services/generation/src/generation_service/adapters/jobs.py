"""Making worlds: how jobs are accepted."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from praxiscope.generation.v1 import generation_service_pb2
from praxiscope_assets import AssetFiles
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.database import Database
from praxiscope_common.identity import current_caller
from praxiscope_common.jobs.operations import NewOperation, Operation, create_operation

RECONSTRUCT_METHOD = "praxiscope.generation.v1.GenerationService/ReconstructWorld"
GENERATE_METHOD = "praxiscope.generation.v1.GenerationService/GenerateWorld"


@dataclass(frozen=True, kw_only=True)
class GenerationJobs:
    """Accepts jobs.

    Attributes:
        database: Where operations are.
        files: Finds files in the library.
        identity: Gets tokens to act for the caller.
    """

    database: Database
    files: AssetFiles
    identity: ServiceIdentity

    async def reconstruct(self, request: generation_service_pb2.ReconstructWorldRequest) -> Operation:
        """Checks that the photos are there and writes the operation and its job."""
        photos = request.photos
        await self.files.resolve(photos.asset_version, photos.path, token=await self.identity.token_for_caller())
        return await self._create(RECONSTRUCT_METHOD, photos.asset_version, request, request.request_id)

    async def generate(self, request: generation_service_pb2.GenerateWorldRequest) -> Operation:
        """Writes the operation and its job."""
        return await self._create(GENERATE_METHOD, request.parent, request, request.request_id)

    async def _create(self, method: str, target: str, request: Message, request_id: str) -> Operation:
        async with self.database.transaction() as connection:
            return await create_operation(
                connection,
                NewOperation(
                    service="generation",
                    method=method,
                    target=target,
                    request=request,
                    request_id=request_id,
                    parent_operation=current_caller().operation,
                ),
            )
