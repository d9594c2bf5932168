"""The client's calls for the registry of models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from google.protobuf import json_format
from google.protobuf.message import Message

from praxiscope.client._http import Transport
from praxiscope.vision.v1 import model_service_pb2, model_version_pb2, vision_service_pb2

_Message = TypeVar("_Message", bound=Message)
# A deployment is waited for 20 s by the platform.
_TIMEOUT_S = 30.0


class ModelCalls:
    """Part of `AsyncClient`. What changes models takes a platform administrator.

    Attributes:
        transport: What calls the platform.
    """

    transport: Transport

    async def models(self) -> vision_service_pb2.ListModelsResponse:
        """Returns the models in service."""
        return _read(await self.transport.call("GET", "/v1/models"), vision_service_pb2.ListModelsResponse())

    async def model_traffic(self, model: str) -> model_service_pb2.ModelTraffic:
        """Returns the versions of a model, as in `movenet_multipose`, and their shares."""
        return _read(await self.transport.call("GET", f"/v1/models/{model}/traffic"), model_service_pb2.ModelTraffic())

    async def deploy_model(self, model: str, version: int, *, memory_bytes: int = 0) -> model_version_pb2.ModelVersion:
        """Has a version loaded and warmed up; it gets no traffic yet."""
        path, body = f"/v1/models/{model}/versions/{version}:deploy", {"memory_bytes": str(memory_bytes)}
        answer = await self.transport.call("POST", path, body, is_repeatable=True, timeout_s=_TIMEOUT_S)
        return _read(answer, model_version_pb2.ModelVersion())

    async def set_model_traffic(
        self, model: str, percents: Mapping[int, int], *, etag: str
    ) -> model_service_pb2.ModelTraffic:
        """Gives each version its share of new streams, in percent; those that are not named get none."""
        shares = [{"version": str(version), "percent": percent} for version, percent in percents.items()]
        body: dict[str, Any] = {"shares": shares, "etag": etag}
        answer = await self.transport.call("POST", f"/v1/models/{model}/traffic:set", body, is_repeatable=False)
        return _read(answer, model_service_pb2.ModelTraffic())

    async def roll_back_model(
        self, model: str, *, version: int = 0, reason: str = ""
    ) -> model_service_pb2.ModelTraffic:
        """Goes back to the stable version; with a version takes only that one back."""
        body = {"version": str(version) if version else "", "reason": reason}
        path = f"/v1/models/{model}/traffic:rollBack"
        return _read(
            await self.transport.call("POST", path, body, is_repeatable=False), model_service_pb2.ModelTraffic()
        )


def _read(document: Mapping[str, Any], message: _Message) -> _Message:
    return json_format.ParseDict(dict(document), message, ignore_unknown_fields=True)
