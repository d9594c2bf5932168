"""Long work on worlds: how jobs are accepted; and worlds in other formats, how that is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from google.protobuf.message import Message

from praxiscope.rendering.v1 import world_rendering_service_pb2
from praxiscope_assets import AssetFiles, OutputFolder, pieces_from_thread
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.database import Database
from praxiscope_common.identity import current_caller
from praxiscope_common.jobs.operations import NewOperation, Operation, create_operation
from praxiscope_common.jobs.worker import Handler, JobContext
from praxiscope_world_assets import WorldReader
from praxiscope_worlds.formats import FORMATS, write_world_file
from rendering_service.adapters.film_job import FLIGHT_METHOD, TURNTABLE_METHOD
from rendering_service.adapters.picture_job import PICTURE_METHOD

EXPORT_METHOD = "praxiscope.rendering.v1.WorldRenderingService/ExportWorld"
_Turntable = world_rendering_service_pb2.RenderTurntableRequest
_Flight = world_rendering_service_pb2.RenderFlightRequest
_Export = world_rendering_service_pb2.ExportWorldRequest
FORMAT_NAMES: Mapping[int, str] = {
    _Export.FORMAT_PLY: "ply",
    _Export.FORMAT_COMPRESSED_PLY: "compressed-ply",
    _Export.FORMAT_SPLAT: "splat",
    _Export.FORMAT_SPZ: "spz",
    _Export.FORMAT_GLB: "glb-gaussians",
    _Export.FORMAT_USDA: "usda-gaussians",
}


@dataclass(frozen=True, kw_only=True)
class WorldJobs:
    """Accepts jobs.

    Attributes:
        database: Where operations are.
        worlds: Finds worlds.
        identity: Gets tokens to act for the caller.
    """

    database: Database
    worlds: WorldReader
    identity: ServiceIdentity

    async def start_turntable(self, request: _Turntable) -> Operation:
        """Checks that the world is there and writes the operation and its job."""
        path = request.settings.path
        return await self._start(TURNTABLE_METHOD, request.world, request, request.request_id, path=path)

    async def start_flight(self, request: _Flight) -> Operation:
        """Likewise."""
        path = request.settings.path
        return await self._start(FLIGHT_METHOD, request.world, request, request.request_id, path=path)

    async def start_picture(self, request: world_rendering_service_pb2.RenderPictureRequest) -> Operation:
        """Likewise."""
        path = request.settings.path
        return await self._start(PICTURE_METHOD, request.world, request, request.request_id, path=path)

    async def start_export(self, request: _Export) -> Operation:
        """Likewise."""
        return await self._start(EXPORT_METHOD, request.world, request, request.request_id)

    async def _start(self, method: str, world: str, request: Message, request_id: str, *, path: str = "") -> Operation:
        await self.worlds.find_part(world, path, token=await self.identity.token_for_caller())
        async with self.database.transaction() as connection:
            return await create_operation(
                connection,
                NewOperation(
                    service="rendering",
                    method=method,
                    target=world,
                    request=request,
                    request_id=request_id,
                    parent_operation=current_caller().operation,
                ),
            )


@dataclass(frozen=True, kw_only=True)
class ExportWork:
    """Writes worlds in other formats.

    Attributes:
        files: The store.
        worlds: Finds and reads worlds.
        library: A channel to the library.
        identity: Gets tokens to act for whoever started the operation.
    """

    files: AssetFiles
    worlds: WorldReader
    library: grpc.aio.Channel
    identity: ServiceIdentity

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {
            EXPORT_METHOD: Handler(request_type=_Export, run=self.export, weights={"read": 0.2, "write": 0.8}),
        }

    async def export(self, context: JobContext, request: _Export) -> world_rendering_service_pb2.ExportWorldResponse:
        """Writes a world in other formats and hands the files over."""
        token = await self.identity.token_for_mandate(context.operation.mandate)
        with context.timed("read"):
            world = await self.worlds.read(request.world, token=token)
        await context.report("read", 1.0)
        outputs, paths = self._outputs(context, "export"), []
        with context.timed("write"):
            for index, wanted in enumerate(request.formats):
                written = FORMATS[FORMAT_NAMES[wanted]]
                paths.append(f"world{written.extension}")
                pieces = write_world_file(world.gaussians, format_name=written.name)
                await outputs.put(paths[-1], written.media_type, pieces_from_thread(pieces))
                await context.report("write", (index + 1) / len(request.formats) * 0.99, written.title)
            version = await outputs.commit(
                kind="KIND_FILE",
                display_name=f"{world.file.path} in other formats",
                sources=[world.file.asset_version],
                token=await self.identity.token_for_mandate(context.operation.mandate),
            )
        await context.report("write", 1.0)
        return world_rendering_service_pb2.ExportWorldResponse(asset_version=version.name, paths=paths)

    def _outputs(self, context: JobContext, name: str) -> OutputFolder:
        return OutputFolder(self.library, self.files.store, operation=context.operation.name, name=name)
