"""Drawing over a video: how the job is accepted, and how it is done."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import grpc

from praxiscope.rendering.v1 import rendering_service_pb2
from praxiscope_assets import AssetFile, AssetFiles, OutputFolder, chunks_of_file
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.database import Database
from praxiscope_common.identity import current_caller
from praxiscope_common.jobs.operations import NewOperation, Operation, create_operation
from praxiscope_common.jobs.worker import Handler, JobContext
from praxiscope_media import VideoEncoding
from rendering_service.adapters.codecs import CODECS
from rendering_service.adapters.drawn_video import VideoJob, draw_video
from rendering_service.adapters.motion_file import RECORDS_PATH, read_motion
from rendering_service.core.types import Style

METHOD = "praxiscope.rendering.v1.RenderingService/RenderOverlay"
_WEIGHTS = {"draw": 0.95, "store": 0.05}
_Request = rendering_service_pb2.RenderOverlayRequest
StyleReader = Callable[[rendering_service_pb2.OverlayStyle], Style]


@dataclass(frozen=True, kw_only=True)
class OverlayJobs:
    """Accepts jobs.

    Attributes:
        database: Where operations are.
        files: Finds files in the library.
        identity: Gets tokens to act for the caller.
    """

    database: Database
    files: AssetFiles
    identity: ServiceIdentity

    async def start(self, request: rendering_service_pb2.RenderOverlayRequest) -> Operation:
        """Checks that the motion is there and writes the operation and its job."""
        await self.files.resolve(request.motion, RECORDS_PATH, token=await self.identity.token_for_caller())
        async with self.database.transaction() as connection:
            return await create_operation(
                connection,
                NewOperation(
                    service="rendering",
                    method=METHOD,
                    target=request.motion,
                    request=request,
                    request_id=request.request_id,
                    parent_operation=request.parent_operation or current_caller().operation,
                ),
            )


@dataclass(kw_only=True)
class _Progress:
    """How far the drawing thread is; written by it and read by the job."""

    drawn_count: int = 0
    expected_count: int = 0

    def tell(self, drawn_count: int, expected_count: int) -> None:
        self.drawn_count, self.expected_count = drawn_count, expected_count

    @property
    def share(self) -> float:
        return self.drawn_count / self.expected_count if self.expected_count else 0.0


@dataclass(frozen=True, kw_only=True)
class OverlayWork:
    """Does jobs.

    Attributes:
        files: Finds files in the library.
        library: A channel to the library.
        identity: Gets tokens to act for whoever started the operation.
        style_from: Reads what is drawn from the request.
    """

    files: AssetFiles
    library: grpc.aio.Channel
    identity: ServiceIdentity
    style_from: StyleReader

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {METHOD: Handler(request_type=_Request, run=self.run, weights=_WEIGHTS)}

    async def run(
        self, context: JobContext, request: rendering_service_pb2.RenderOverlayRequest
    ) -> rendering_service_pb2.RenderOverlayResponse:
        """Draws over a video and hands the drawn one over."""
        token = await self.identity.token_for_mandate(context.operation.mandate)
        records = await self.files.resolve(request.motion, RECORDS_PATH, token=token)
        video = await self._video(request, records, token)
        with tempfile.TemporaryDirectory(prefix="praxiscope-overlay-") as folder:
            target = Path(folder) / "overlay.mp4"
            with context.timed("draw"):
                drawn_count = await self._draw(context, request, records, video, target)
            await context.report("draw", 1.0)
            with context.timed("store"):
                token = await self.identity.token_for_mandate(context.operation.mandate)
                outputs = OutputFolder(self.library, self.files.store, operation=context.operation.name, name="overlay")
                await outputs.put("overlay.mp4", "video/mp4", chunks_of_file(target))
                version = await outputs.commit(
                    kind="KIND_CLIP",
                    display_name=f"Overlay of {video.path}",
                    sources=[records.asset_version, video.asset_version],
                    token=token,
                )
        await context.report("store", 1.0)
        return rendering_service_pb2.RenderOverlayResponse(asset_version=version.name, frame_count=drawn_count)

    async def _video(self, request: _Request, records: AssetFile, token: str) -> AssetFile:
        if request.HasField("video"):
            return await self.files.resolve(request.video.asset_version, request.video.path, token=token)
        name, path = await asyncio.to_thread(self._source_of, records)
        return await self.files.resolve(name, path, token=token)

    def _source_of(self, records: AssetFile) -> tuple[str, str]:
        with self.files.open(records) as file:
            header = read_motion(file).header
            return header.video, header.video_path

    async def _draw(
        self, context: JobContext, request: _Request, records: AssetFile, video: AssetFile, target: Path
    ) -> int:
        should_stop, progress = threading.Event(), _Progress()

        def draw() -> int:
            with ExitStack() as opened:
                job = VideoJob(
                    video=opened.enter_context(self.files.open(video)),
                    sound=opened.enter_context(self.files.open(video)),
                    motion=read_motion(opened.enter_context(self.files.open(records))),
                    target=target,
                    encoding=VideoEncoding(codec=CODECS[request.codec]),
                    height=request.height_px,
                    style=self.style_from(request.style),
                )
                return draw_video(job, on_frame=progress.tell, should_stop=should_stop)

        def told() -> tuple[float, str]:
            return progress.share, f"{progress.drawn_count} frames drawn"

        return await context.in_thread("draw", draw, told=told, should_stop=should_stop)
