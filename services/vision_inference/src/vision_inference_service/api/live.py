"""A live stream: the newest frame is looked at, those that came while the last one was looked at are dropped and counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

from praxiscope.vision.v1 import vision_service_pb2
from praxiscope_common.newest import Newest
from praxiscope_common.server.pipeline import StreamStartNeededError
from vision_inference_service.api import convert
from vision_inference_service.api.errors import UnsortedFramesError
from vision_inference_service.api.ports import MediaOpener, Models
from vision_inference_service.core.memory import RegionMemory
from vision_inference_service.core.observer import PersonObserver

LiveFrame = vision_service_pb2.ObserveLiveRequest.Frame


@dataclass(frozen=True)
class LiveObservation:
    """One live stream.

    Attributes:
        models: The nets.
        media: Decodes pictures.
    """

    models: Models
    media: MediaOpener

    async def run(
        self, requests: AsyncIterator[vision_service_pb2.ObserveLiveRequest]
    ) -> AsyncIterator[vision_service_pb2.ObserveLiveResponse]:
        """Yields what is seen until the stream ends."""
        first = await anext(requests)
        if first.WhichOneof("message") != "start":
            raise StreamStartNeededError()
        observer = PersonObserver(self.models, convert.parameters_from(first.start.config))
        newest = Newest[LiveFrame]()
        reader = asyncio.create_task(_read(requests, newest))
        memory, frame_index, said = RegionMemory(), 0, self.models.version_names
        try:
            while (taken := await newest.take()) is not None:
                frame, dropped_count = taken
                frame_index += dropped_count
                offset_s = frame.time_offset.ToNanoseconds() / 1e9
                picture = await self.media.decode(frame.content, frame_index=frame_index, offset_s=offset_s)
                observation, memory = await observer.observe(picture, memory)
                yield vision_service_pb2.ObserveLiveResponse(
                    observations=convert.frame_message(observation),
                    width_px=picture.width_px,
                    height_px=picture.height_px,
                    dropped_frame_count=dropped_count,
                    model_versions=said,
                )
                frame_index, said = frame_index + 1, ()
            await reader  # what was wrong with the stream is raised here
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def _read(requests: AsyncIterator[vision_service_pb2.ObserveLiveRequest], newest: Newest[LiveFrame]) -> None:
    last_offset_ns = -1
    try:
        async for request in requests:
            if request.WhichOneof("message") != "frame":
                raise StreamStartNeededError()
            offset_ns = request.frame.time_offset.ToNanoseconds()
            if offset_ns <= last_offset_ns:
                raise UnsortedFramesError(metadata={"time_offset_ns": str(offset_ns)})
            last_offset_ns = offset_ns
            newest.put(request.frame)
    finally:
        newest.end()
