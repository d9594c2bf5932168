"""ModelService: convert, call, convert."""

from __future__ import annotations

import grpc

from praxiscope.vision.v1 import model_service_pb2, model_service_pb2_grpc, model_version_pb2
from praxiscope_common import paging
from vision_inference_service.api import model_convert as convert
from vision_inference_service.api.ports import ModelKeeper

Context = grpc.aio.ServicerContext


class ModelServicer(model_service_pb2_grpc.ModelServiceServicer):
    """Answers for which versions there are and who gets how much.

    Args:
        models: Keeps the registry.
    """

    def __init__(self, models: ModelKeeper) -> None:
        """Uses the registry."""
        self._models = models

    async def GetModelTraffic(
        self, request: model_service_pb2.GetModelTrafficRequest, context: Context
    ) -> model_service_pb2.ModelTraffic:
        """Reads a model's versions."""
        return convert.traffic_message(await self._models.get(convert.model_in(request.name)))

    async def DeployModelVersion(
        self, request: model_service_pb2.DeployModelVersionRequest, context: Context
    ) -> model_version_pb2.ModelVersion:
        """Has a version loaded and warmed up."""
        model, version = convert.version_in(request.name)
        record = await self._models.deploy(model, version, memory_bytes=request.memory_bytes)
        return convert.version_message(record, version)

    async def SetModelTraffic(
        self, request: model_service_pb2.SetModelTrafficRequest, context: Context
    ) -> model_service_pb2.ModelTraffic:
        """Says which share each version gets."""
        percents = [(int(share.version), share.percent) for share in request.shares]
        model = convert.model_in(request.name)
        return convert.traffic_message(await self._models.set_traffic(model, percents, etag=request.etag))

    async def RollBackModel(
        self, request: model_service_pb2.RollBackModelRequest, context: Context
    ) -> model_service_pb2.ModelTraffic:
        """Goes back to the stable version."""
        version = int(request.version) if request.version else None
        model = convert.model_in(request.name)
        return convert.traffic_message(await self._models.roll_back(model, version=version, reason=request.reason))

    async def RetireModelVersion(
        self, request: model_service_pb2.RetireModelVersionRequest, context: Context
    ) -> model_version_pb2.ModelVersion:
        """Takes a version out of the model server."""
        model, version = convert.version_in(request.name)
        return convert.version_message(await self._models.retire(model, version), version)

    async def ListModelChanges(
        self, request: model_service_pb2.ListModelChangesRequest, context: Context
    ) -> model_service_pb2.ListModelChangesResponse:
        """Lists what was done to a model."""
        before = paging.decode_page_token(request.page_token, request.parent)
        size = paging.page_size_of(request.page_size)
        changes = await self._models.changes(convert.model_in(request.parent), limit=size + 1, before=before)
        response = model_service_pb2.ListModelChangesResponse(
            changes=[convert.change_message(request.parent, change) for change in changes[:size]]
        )
        if len(changes) > size:
            last = changes[size - 1]
            position = (last.change_time.isoformat(), last.change_id)
            response.next_page_token = paging.encode_page_token(position, request.parent)
        return response
