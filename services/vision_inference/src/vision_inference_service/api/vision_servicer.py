"""VisionService: convert, call, convert."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc

from praxiscope.vision.v1 import vision_service_pb2, vision_service_pb2_grpc
from praxiscope_common import names
from praxiscope_common.identity import current_caller
from vision_inference_service.api import convert
from vision_inference_service.api.errors import QueueFullError
from vision_inference_service.api.live import LiveObservation
from vision_inference_service.api.ports import MediaOpener, ModelChooser, ModelRegistry
from vision_inference_service.core.memory import RegionMemory
from vision_inference_service.core.objects import find_objects
from vision_inference_service.core.observer import PersonObserver
from vision_inference_service.core.parameters import ObjectParameters
from vision_inference_service.core.ports import FramePixels

_FRAMES_AN_ANSWER = 8
_RETRY_AFTER_S = 2.0
Context = grpc.aio.ServicerContext


class VisionServicer(vision_service_pb2_grpc.VisionServiceServicer):
    """Answers for what is seen.

    Args:
        models: Chooses the nets' versions.
        media: Opens stored media.
        registry: The models in service.
        max_observations: How many videos and live streams are looked at at once.
    """

    def __init__(
        self,
        models: ModelChooser,
        media: MediaOpener,
        registry: ModelRegistry,
        *,
        max_observations: int,
    ) -> None:
        """Uses the nets and the media."""
        self._models, self._media, self._registry = models, media, registry
        self._max_observations, self._observation_count = max_observations, 0

    async def DetectObjects(
        self, request: vision_service_pb2.DetectObjectsRequest, context: Context
    ) -> vision_service_pb2.DetectObjectsResponse:
        """Finds things in a picture."""
        async with self._place():
            frame = await self._picture(request.image)
            parameters = ObjectParameters()
            if request.minimum_score:
                parameters = replace(parameters, min_score=request.minimum_score)
            models = self._models.begin(_key_of(request.image))
            objects = await find_objects(frame, models, parameters)
        return vision_service_pb2.DetectObjectsResponse(
            objects=[convert.object_message(item) for item in objects],
            width_px=frame.width_px,
            height_px=frame.height_px,
            model_versions=[name for name in models.version_names if name.startswith("centernet/")],
        )

    async def DetectPoses(
        self, request: vision_service_pb2.DetectPosesRequest, context: Context
    ) -> vision_service_pb2.DetectPosesResponse:
        """Finds people in a picture."""
        models = self._models.begin(_key_of(request.image))
        observer = PersonObserver(models, convert.parameters_from(request.config))
        async with self._place():
            frame = await self._picture(request.image)
            observation, _ = await observer.observe(frame, RegionMemory())
        return vision_service_pb2.DetectPosesResponse(
            persons=[convert.person_message(person) for person in observation.persons],
            may_be_incomplete=observation.may_be_incomplete,
            width_px=frame.width_px,
            height_px=frame.height_px,
            model_versions=models.version_names,
        )

    async def ObserveVideo(
        self, request: vision_service_pb2.ObserveVideoRequest, context: Context
    ) -> AsyncIterator[vision_service_pb2.ObserveVideoResponse]:
        """Observes a stored video."""
        parameters = convert.parameters_from(request.config)
        memory, versions = convert.memory_from(request.resume_state)
        key = current_caller().operation or request.video.asset_version
        # A stream that goes on keeps the versions it began with, whatever the shares are now.
        is_resumed = request.start_frame > 0
        models = self._models.resume(key, versions) if is_resumed else self._models.begin(key)
        observer = PersonObserver(models, parameters)
        async with self._place(), self._media.open_video(request.video.asset_version, request.video.path) as video:
            yield vision_service_pb2.ObserveVideoResponse(video_info=convert.video_info_message(video.info))
            answer = vision_service_pb2.ObserveVideoResponse()
            frames = video.frames(start_frame=request.start_frame)
            async for observation, behind in observer.observe_frames(frames, memory):
                memory = behind
                answer.frames.append(convert.frame_message(observation))
                if len(answer.frames) >= _FRAMES_AN_ANSWER:
                    answer.resume_state = convert.state_from(memory, models.said_versions)
                    yield answer
                    answer = vision_service_pb2.ObserveVideoResponse()
            answer.resume_state = convert.state_from(memory, models.said_versions)
            answer.summary.CopyFrom(convert.summary_message(video.summary))
            answer.summary.model_versions.extend(models.version_names)
            yield answer

    async def ObserveLive(
        self, request_iterator: AsyncIterator[vision_service_pb2.ObserveLiveRequest], context: Context
    ) -> AsyncIterator[vision_service_pb2.ObserveLiveResponse]:
        """Observes frames as they come, the newest first where they come too fast."""
        async with self._place():
            models = self._models.begin(names.new_id())
            async for response in LiveObservation(models, self._media).run(request_iterator):
                yield response

    async def ListModels(
        self, request: vision_service_pb2.ListModelsRequest, context: Context
    ) -> vision_service_pb2.ListModelsResponse:
        """Lists the models in service."""
        return vision_service_pb2.ListModelsResponse(
            models=[
                vision_service_pb2.Model(
                    name=f"models/{entry.name}",
                    versions=entry.versions,
                    is_ready=entry.is_ready,
                    licence=entry.licence,
                    card=entry.card,
                )
                for entry in await self._registry.list()
            ]
        )

    async def _picture(self, image: vision_service_pb2.ImageSource) -> FramePixels:
        if image.WhichOneof("source") == "media":
            encoded = await self._media.read_picture(image.media.asset_version, image.media.path)
        else:
            encoded = image.content
        return await self._media.decode(encoded)

    @asynccontextmanager
    async def _place(self) -> AsyncIterator[None]:
        """Takes one of the places in which something is looked at; refuses where none is free, so that no queue grows."""
        if self._observation_count >= self._max_observations:
            raise QueueFullError(retry_after_s=_RETRY_AFTER_S)
        self._observation_count += 1
        try:
            yield
        finally:
            self._observation_count -= 1


def _key_of(image: vision_service_pb2.ImageSource) -> str:
    """Names a picture: the same picture is looked at by the same versions as long as their shares stay."""
    if image.WhichOneof("source") == "media":
        return f"{image.media.asset_version}/{image.media.path}"
    return hashlib.sha256(image.content).hexdigest()
