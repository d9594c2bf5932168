"""Flights around a world, and worlds in other formats: how the jobs are accepted, and how they are done."""

from __future__ import annotations

import asyncio
import math
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import grpc
from google.protobuf.message import Message

from praxiscope.rendering.v1 import rendering_service_pb2, world_rendering_service_pb2
from praxiscope_assets import AssetFiles, OutputFolder, chunks_of_file, pieces_from_thread
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.database import Database
from praxiscope_common.identity import current_caller
from praxiscope_common.jobs.operations import NewOperation, Operation, create_operation
from praxiscope_common.jobs.worker import Handler, JobContext
from praxiscope_media import VideoCodec, VideoEncoding, VideoInfo, VideoWriter
from praxiscope_world_assets import WorldReader
from praxiscope_worlds import Orbit, orbit_camera
from praxiscope_worlds.formats import FORMATS, write_world_file
from rendering_service.adapters.picture_job import PICTURE_METHOD
from rendering_service.adapters.world_drawer import DrawableWorld, WorldDrawer
from rendering_service.core.world_view import Layer, RenderSettings

TURNTABLE_METHOD = "praxiscope.rendering.v1.WorldRenderingService/RenderTurntable"
EXPORT_METHOD = "praxiscope.rendering.v1.WorldRenderingService/ExportWorld"
FRAME_RATE_HZ = 30
_REPORT_PERIOD_S = 0.25
_Overlay = rendering_service_pb2.RenderOverlayRequest
_Turntable = world_rendering_service_pb2.RenderTurntableRequest
_Export = world_rendering_service_pb2.ExportWorldRequest
# A picture of a flight may take as long as one at the largest size with the most samples does.
_FRAME_TIMEOUT_S = 1200.0
OrbitReader = Callable[[world_rendering_service_pb2.OrbitView], Orbit]
SettingsReader = Callable[[world_rendering_service_pb2.RenderSettings], RenderSettings]
_CODECS = {
    _Overlay.CODEC_UNSPECIFIED: VideoCodec.AV1,
    _Overlay.CODEC_AV1: VideoCodec.AV1,
    _Overlay.CODEC_VP9: VideoCodec.VP9,
    _Overlay.CODEC_H264: VideoCodec.H264,
}
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
class WorldWork:
    """Does jobs.

    Attributes:
        files: The store.
        worlds: Finds and reads worlds.
        library: A channel to the library.
        identity: Gets tokens to act for whoever started the operation.
        drawer: Opens worlds and draws them.
        orbit_from: Reads a place around a world from the request.
        settings_from: Reads from it with what and how it is drawn.
    """

    files: AssetFiles
    worlds: WorldReader
    library: grpc.aio.Channel
    identity: ServiceIdentity
    drawer: WorldDrawer
    orbit_from: OrbitReader
    settings_from: SettingsReader

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {
            TURNTABLE_METHOD: Handler(request_type=_Turntable, run=self.fly, weights={"draw": 0.95, "store": 0.05}),
            EXPORT_METHOD: Handler(request_type=_Export, run=self.export, weights={"read": 0.2, "write": 0.8}),
        }

    async def fly(
        self, context: JobContext, request: _Turntable
    ) -> world_rendering_service_pb2.RenderTurntableResponse:
        """Flies around a world once and hands the video over."""
        token = await self.identity.token_for_mandate(context.operation.mandate)
        frame_count = request.frame_count or 120
        size = _frame_size(request)
        world = await self.drawer.open(
            request.world,
            self.settings_from(request.settings),
            layer=Layer.COLOR,
            pixel_count=size[0] * size[1] * frame_count,
            token=token,
            is_flight=True,
        )
        with tempfile.TemporaryDirectory(prefix="praxiscope-turntable-") as folder:
            target = Path(folder) / "turntable.mp4"
            with context.timed("draw"):
                await self._draw(context, request, world, frame_count, target)
            await context.report("draw", 1.0)
            with context.timed("store"):
                outputs = self._outputs(context, "turntable")
                await outputs.put("turntable.mp4", "video/mp4", chunks_of_file(target))
                version = await outputs.commit(
                    kind="KIND_CLIP",
                    display_name=f"Flight around {world.file.path}",
                    sources=[world.file.asset_version],
                    token=await self.identity.token_for_mandate(context.operation.mandate),
                )
        await context.report("store", 1.0)
        return world_rendering_service_pb2.RenderTurntableResponse(
            asset_version=version.name,
            frame_count=frame_count,
            engine=world.choice.name,
            engine_reason=world.choice.reason,
        )

    async def _draw(
        self, context: JobContext, request: _Turntable, world: DrawableWorld, frame_count: int, target: Path
    ) -> None:
        should_stop, drawn = threading.Event(), [0]

        def draw() -> None:
            size = _frame_size(request)
            start = self.orbit_from(request.start)
            info = _video_info(*size, frame_count)
            encoding = VideoEncoding(codec=_CODECS[request.codec])
            with (
                self.drawer.drawing(world, should_stop=should_stop.is_set, timeout_s=_FRAME_TIMEOUT_S) as draw_picture,
                VideoWriter.open(target, info, encoding) as writer,
            ):
                for index in range(frame_count):
                    if should_stop.is_set():
                        return
                    orbit = replace(start, azimuth_rad=start.azimuth_rad + math.tau * index / frame_count)
                    camera = orbit_camera(world.bounds, orbit, width_px=size[0], height_px=size[1])
                    writer.write(draw_picture(camera, Layer.COLOR), Fraction(index, FRAME_RATE_HZ))
                    drawn[0] = index + 1

        drawing = asyncio.ensure_future(asyncio.to_thread(draw))
        try:
            while not drawing.done():
                await asyncio.wait({drawing}, timeout=_REPORT_PERIOD_S)
                await context.report("draw", min(0.99, drawn[0] / frame_count), f"{drawn[0]} frames drawn")
            drawing.result()
        finally:
            should_stop.set()  # the thread ends before its folder is removed
            await asyncio.shield(asyncio.gather(drawing, return_exceptions=True))

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


def _frame_size(request: _Turntable) -> tuple[int, int]:
    """Width and height, even numbers as encoders want them."""
    return (request.width_px or 960) // 2 * 2, (request.height_px or 540) // 2 * 2


def _video_info(width_px: int, height_px: int, frame_count: int) -> VideoInfo:
    return VideoInfo(
        width_px=width_px,
        height_px=height_px,
        frame_count=frame_count,
        duration_s=frame_count / FRAME_RATE_HZ,
        average_rate_hz=Fraction(FRAME_RATE_HZ),
        rotation_deg=0,
        codec="",
        has_audio=False,
    )
