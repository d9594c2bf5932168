"""Tracking stored detections: how the job is accepted, and how it is done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import grpc

from praxiscope.tracking.v1 import tracking_service_pb2
from praxiscope_assets import AssetFile, AssetFiles, OutputFolder
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.database import Database
from praxiscope_common.errors import InvalidInputError
from praxiscope_common.identity import current_caller
from praxiscope_common.jobs.operations import NewOperation, Operation, create_operation
from praxiscope_common.jobs.worker import Handler, JobContext
from tracking_service.core.config import TrackerConfig
from tracking_service.core.motchallenge import MAX_LINE_LENGTH, read_detections, write_tracks
from tracking_service.core.tracker import Tracker, create_tracker

METHOD = "praxiscope.tracking.v1.TrackingService/TrackDetections"
_FRAMES_A_CHUNK = 500
ConfigReader = Callable[[tracking_service_pb2.TrackerConfig], TrackerConfig]
_WEIGHTS = {"track": 0.95, "store": 0.05}


class NotTextError(InvalidInputError):
    """The detections are not UTF-8 text."""

    reason = "INVALID_MOTCHALLENGE_TEXT"


@dataclass(frozen=True, kw_only=True)
class TrackJobs:
    """Accepts jobs.

    Attributes:
        database: Where operations are.
        files: Finds files in the library.
        identity: Gets tokens to act for the caller.
    """

    database: Database
    files: AssetFiles
    identity: ServiceIdentity

    async def start(self, request: tracking_service_pb2.TrackDetectionsRequest) -> Operation:
        """Checks that the detections are there and writes the operation and its job."""
        media = request.detections
        await self.files.resolve(media.asset_version, media.path, token=await self.identity.token_for_caller())
        async with self.database.transaction() as connection:
            return await create_operation(
                connection,
                NewOperation(
                    service="tracking",
                    method=METHOD,
                    target=media.asset_version,
                    request=request,
                    request_id=request.request_id,
                    parent_operation=current_caller().operation,
                ),
            )


@dataclass(kw_only=True)
class TrackCounts:
    """What was tracked so far."""

    frames: int = 0
    ids: set[int] = field(default_factory=set)


@dataclass(frozen=True, kw_only=True)
class TrackWork:
    """Does jobs.

    Attributes:
        files: Finds files in the library.
        library: A channel to the library.
        identity: Gets tokens to act for whoever started the operation.
        config_from: Reads the tracker's configuration from the request.
    """

    files: AssetFiles
    library: grpc.aio.Channel
    identity: ServiceIdentity
    config_from: ConfigReader

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        request_type = tracking_service_pb2.TrackDetectionsRequest
        return {METHOD: Handler(request_type=request_type, run=self.run, weights=_WEIGHTS)}

    async def run(
        self, context: JobContext, request: tracking_service_pb2.TrackDetectionsRequest
    ) -> tracking_service_pb2.TrackDetectionsResponse:
        """Tracks a stored file from its first line to its last."""
        token = await self.identity.token_for_mandate(context.operation.mandate)
        file = await self.files.resolve(request.detections.asset_version, request.detections.path, token=token)
        counts = TrackCounts()
        outputs = OutputFolder(self.library, self.files.store, operation=context.operation.name, name="tracks")
        with context.timed("track"):
            tracker = create_tracker(self.config_from(request.config))
            await outputs.put("tracks.txt", "text/plain", self._track(context, file, tracker, counts))
        await context.report("track", 1.0)
        with context.timed("store"):
            version = await outputs.commit(
                kind="KIND_TRACKS", display_name=f"Tracks of {file.path}", sources=[file.asset_version], token=token
            )
        await context.report("store", 1.0)
        return tracking_service_pb2.TrackDetectionsResponse(
            asset_version=version.name, frame_count=counts.frames, track_count=len(counts.ids)
        )

    async def _track(
        self, context: JobContext, file: AssetFile, tracker: Tracker, counts: TrackCounts
    ) -> AsyncIterator[bytes]:
        stored = await asyncio.to_thread(self.files.open, file)
        try:
            chunks = tracked_chunks(stored, tracker, counts)
            while (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                yield chunk
                await context.report("track", stored.tell() / max(1, file.size_bytes), f"{counts.frames} frames")
        finally:
            stored.close()


def tracked_chunks(stored: BinaryIO, tracker: Tracker, counts: TrackCounts) -> Iterator[bytes]:
    """Yields the tracks' text a few hundred frames at a time; reads no more of the file than that needs."""
    text: list[str] = []
    for index, detections in enumerate(read_detections(_lines(stored)), start=1):
        tracked = tracker.update(detections.boxes_xyxy_px, detections.scores, detections.frame_index)
        text.extend(write_tracks([tracked]))
        counts.frames += 1
        counts.ids.update(tracked.ids.tolist())
        if index % _FRAMES_A_CHUNK == 0:
            yield "".join(text).encode()
            text.clear()
    yield "".join(text).encode()


def _lines(stored: BinaryIO) -> Iterator[str]:
    while line := stored.readline(MAX_LINE_LENGTH + 2):
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise NotTextError() from error
