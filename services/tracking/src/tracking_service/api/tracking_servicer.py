"""TrackingService: convert, call, convert."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
from google.longrunning import operations_pb2

from praxiscope.tracking.v1 import tracking_service_pb2, tracking_service_pb2_grpc
from praxiscope_common.jobs.operations import to_message
from praxiscope_common.server.pipeline import StreamStartNeededError
from tracking_service.api import convert
from tracking_service.api.ports import JobStarter
from tracking_service.core.tracker import create_tracker

Context = grpc.aio.ServicerContext


class TrackingServicer(tracking_service_pb2_grpc.TrackingServiceServicer):
    """Answers for identities."""

    def __init__(self, jobs: JobStarter) -> None:
        """Uses a starter of jobs."""
        self._jobs = jobs

    async def Track(
        self, request_iterator: AsyncIterator[tracking_service_pb2.TrackRequest], context: Context
    ) -> AsyncIterator[tracking_service_pb2.TrackResponse]:
        """Tracks detections as they come; the ids belong to this stream."""
        first = await anext(request_iterator)
        if first.WhichOneof("message") != "start":
            raise StreamStartNeededError()
        tracker = create_tracker(convert.config_from(first.start.config, frame_rate_hz=first.start.frame_rate_hz))
        if first.start.resume_state:
            tracker.restore(convert.snapshot_from(first.start.resume_state))
        async for request in request_iterator:
            if request.WhichOneof("message") != "frame":
                raise StreamStartNeededError()
            boxes, scores = convert.boxes_from(request.frame)
            response = convert.tracks_message(tracker.update(boxes, scores, request.frame.frame_index))
            if request.frame.want_resume_state:
                response.resume_state = convert.state_from(tracker.snapshot())
            yield response

    async def TrackDetections(
        self, request: tracking_service_pb2.TrackDetectionsRequest, context: Context
    ) -> operations_pb2.Operation:
        """Starts tracking stored detections."""
        convert.config_from(request.config)  # what is wrong with it is said now, not when the job runs
        return to_message(await self._jobs.start(request))
