"""The services that a motion analysis conducts: vision sees, tracking tells apart, rendering draws."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import grpc
from google.longrunning import operations_pb2

from praxiscope.library.v1 import operation_service_pb2, operation_service_pb2_grpc
from praxiscope.rendering.v1 import rendering_service_pb2, rendering_service_pb2_grpc
from praxiscope.tracking.v1 import tracking_service_pb2, tracking_service_pb2_grpc
from praxiscope.type.v1 import operation_pb2
from praxiscope.vision.v1 import vision_service_pb2, vision_service_pb2_grpc
from praxiscope_common.client import call, stream
from praxiscope_common.errors import UnavailableError
from praxiscope_common.status import from_status


class StreamEndedError(UnavailableError):
    """A stream to another service ended too early; the attempt starts over where it was."""

    reason = "STREAM_ENDED"


@dataclass(frozen=True, kw_only=True)
class Peers:
    """Channels to the other services.

    Attributes:
        library: To the library.
        vision: To vision.
        tracking: To tracking.
        rendering: To rendering.
    """

    library: grpc.aio.Channel
    vision: grpc.aio.Channel
    tracking: grpc.aio.Channel
    rendering: grpc.aio.Channel

    def observe_video(
        self, request: vision_service_pb2.ObserveVideoRequest, *, token: str
    ) -> AsyncIterator[vision_service_pb2.ObserveVideoResponse]:
        """Yields what vision sees in a video."""
        return stream(vision_service_pb2_grpc.VisionServiceStub(self.vision).ObserveVideo, request, token=token)

    def open_tracker(self, start: tracking_service_pb2.TrackRequest.Start, *, token: str) -> TrackerStream:
        """Opens a stream to tracking; use it in an `async with`."""
        return TrackerStream(self.tracking, start, token)

    async def render_overlay(
        self, request: rendering_service_pb2.RenderOverlayRequest, *, token: str
    ) -> operations_pb2.Operation:
        """Starts an overlay; doing it again with the same request id gives the same operation."""
        stub = rendering_service_pb2_grpc.RenderingServiceStub(self.rendering)
        return await call(stub.RenderOverlay, request, token=token, is_repeatable=True)

    async def follow(self, operation: str, *, token: str) -> AsyncIterator[tuple[float, operations_pb2.Operation]]:
        """Yields an operation's progress, and the operation, until it is done.

        Raises:
            DomainError: What it ended with, where it failed.
        """
        stub = operation_service_pb2_grpc.OperationServiceStub(self.library)
        request = operation_service_pb2.WatchOperationRequest(name=operation)
        metadata = operation_pb2.OperationMetadata()
        async for state in stream(stub.WatchOperation, request, token=token):
            state.metadata.Unpack(metadata)
            yield metadata.progress, state
            if state.done:
                if state.HasField("error"):
                    raise from_status(state.error)
                return
        raise StreamEndedError(retry_after_s=1.0)


class TrackerStream:
    """One tracker, frame in, ids out, in order."""

    def __init__(self, channel: grpc.aio.Channel, start: tracking_service_pb2.TrackRequest.Start, token: str) -> None:
        """Prepares the stream."""
        self._requests: asyncio.Queue[tracking_service_pb2.TrackRequest | None] = asyncio.Queue()
        self._requests.put_nowait(tracking_service_pb2.TrackRequest(start=start))
        stub = tracking_service_pb2_grpc.TrackingServiceStub(channel)
        self._responses = stream(stub.Track, self._outgoing(), token=token)

    async def __aenter__(self) -> TrackerStream:
        """Itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends the stream."""
        self._requests.put_nowait(None)
        await self._responses.aclose()  # type: ignore[attr-defined]  an async generator

    async def track(
        self, frames: Sequence[tracking_service_pb2.TrackRequest.Frame]
    ) -> Sequence[tracking_service_pb2.TrackResponse]:
        """Returns the tracks of each frame."""
        for frame in frames:
            self._requests.put_nowait(tracking_service_pb2.TrackRequest(frame=frame))
        answers: list[tracking_service_pb2.TrackResponse] = []
        for _ in frames:
            try:
                answers.append(await anext(self._responses))
            except StopAsyncIteration:
                raise StreamEndedError(retry_after_s=1.0) from None
        return answers

    async def _outgoing(self) -> AsyncIterator[tracking_service_pb2.TrackRequest]:
        while (request := await self._requests.get()) is not None:
            yield request
