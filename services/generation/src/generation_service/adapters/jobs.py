"""Making worlds: how jobs are accepted, and what they show before they are done."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf.message import Message

from praxiscope.generation.v1 import generation_service_pb2
from praxiscope_assets import AssetFiles
from praxiscope_common import names
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.database import Database
from praxiscope_common.errors import NotFoundError
from praxiscope_common.identity import current_caller
from praxiscope_common.jobs.operations import NewOperation, Operation, create_operation, read_operation
from praxiscope_common.server.stages import resource_not_found
from praxiscope_common.storage.port import ObjectNotFoundError
from praxiscope_world_assets import WorldReader

RECONSTRUCT_METHOD = "praxiscope.generation.v1.GenerationService/ReconstructWorld"
MESH_METHOD = "praxiscope.generation.v1.GenerationService/ExtractMesh"
PREVIEW_PATH = "partial/preview.jpg"
GENERATE_METHOD = "praxiscope.generation.v1.GenerationService/GenerateWorld"


class PreviewNotReadyError(NotFoundError):
    """There is nothing to be seen yet: the pictures are still being placed. Ask again when the operation's stage is `train`."""

    reason = "PREVIEW_NOT_READY"


@dataclass(frozen=True, kw_only=True)
class GenerationJobs:
    """Accepts jobs.

    Attributes:
        database: Where operations are.
        files: Finds files in the library.
        worlds: Finds worlds in the library.
        identity: Gets tokens to act for the caller.
    """

    database: Database
    files: AssetFiles
    worlds: WorldReader
    identity: ServiceIdentity

    async def reconstruct(self, request: generation_service_pb2.ReconstructWorldRequest) -> Operation:
        """Checks that the photos are there and writes the operation and its job."""
        photos = request.photos
        await self.files.resolve(photos.asset_version, photos.path, token=await self.identity.token_for_caller())
        return await self._create(RECONSTRUCT_METHOD, photos.asset_version, request, request.request_id)

    async def generate(self, request: generation_service_pb2.GenerateWorldRequest) -> Operation:
        """Writes the operation and its job."""
        return await self._create(GENERATE_METHOD, request.parent, request, request.request_id)

    async def extract_mesh(self, request: generation_service_pb2.ExtractMeshRequest) -> Operation:
        """Checks that the world is there and writes the operation and its job."""
        await self.worlds.find(request.world, token=await self.identity.token_for_caller())
        return await self._create(MESH_METHOD, request.world, request, request.request_id)

    async def preview(self, operation: str) -> bytes:
        """Returns the last preview of a reconstruction, a JPEG file's bytes.

        Raises:
            ResourceNotFoundError: There is no such reconstruction.
            PreviewNotReadyError: It has shown nothing yet.
        """
        project_id, operation_id = names.OPERATION.parse(operation)
        async with self.database.transaction() as connection:
            found = await read_operation(connection, project_id, operation_id)
        if found is None or found.method != RECONSTRUCT_METHOD:
            raise resource_not_found(operation)
        try:
            return b"".join([chunk async for chunk in self.files.store.read(f"{operation}/{PREVIEW_PATH}")])
        except ObjectNotFoundError as error:
            raise PreviewNotReadyError() from error

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
