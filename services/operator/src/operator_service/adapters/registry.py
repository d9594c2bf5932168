"""Vision's registry of models, as the operator asks it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import grpc

from operator_service.core.rollout import Reading, Seen, VersionState
from praxiscope.vision.v1 import model_service_pb2, model_service_pb2_grpc, model_version_pb2
from praxiscope_common.client import call
from praxiscope_common.credentials import ServiceIdentity

_DEPLOY_TIMEOUT_S = 25.0
_TIMEOUT_S = 10.0
_Version = model_version_pb2.ModelVersion
_STATES: Mapping[int, VersionState] = {
    _Version.STATE_LOADING: VersionState.LOADING,
    _Version.STATE_READY: VersionState.READY,
    _Version.STATE_FAILED: VersionState.FAILED,
    _Version.STATE_RETIRED: VersionState.RETIRED,
}
_HELD = frozenset({_Version.STATE_LOADING, _Version.STATE_READY})


@dataclass(frozen=True, kw_only=True)
class Registry:
    """Asks and tells vision.

    Attributes:
        channel: To vision.
        identity: Ours; we act in our own name.
    """

    channel: grpc.aio.Channel
    identity: ServiceIdentity

    async def read(self, model: str) -> model_service_pb2.ModelTraffic:
        """Returns a model's versions."""
        stub = model_service_pb2_grpc.ModelServiceStub(self.channel)
        request = model_service_pb2.GetModelTrafficRequest(name=_name(model))
        token = await self.identity.token_for_self()
        return await call(stub.GetModelTraffic, request, token=token, timeout_s=_TIMEOUT_S, is_repeatable=True)

    async def deploy(self, model: str, version: int, *, memory_bytes: int) -> None:
        """Has a version loaded and warmed up."""
        stub = model_service_pb2_grpc.ModelServiceStub(self.channel)
        request = model_service_pb2.DeployModelVersionRequest(
            name=f"models/{model}/versions/{version}", memory_bytes=memory_bytes
        )
        token = await self.identity.token_for_self()
        await call(stub.DeployModelVersion, request, token=token, timeout_s=_DEPLOY_TIMEOUT_S, is_repeatable=True)

    async def set_share(self, traffic: model_service_pb2.ModelTraffic, version: int, percent: int) -> None:
        """Gives a version a share of what was read; what it does not get, the version does that it goes back to."""
        stub = model_service_pb2_grpc.ModelServiceStub(self.channel)
        request = model_service_pb2.SetModelTrafficRequest(name=traffic.name, etag=traffic.etag)
        request.shares.add(version=str(version), percent=percent)
        other = counterpart(traffic, version)
        if percent < 100 and other is not None:
            request.shares.add(version=_number(other), percent=100 - percent)
        token = await self.identity.token_for_self()
        await call(stub.SetModelTraffic, request, token=token, timeout_s=_TIMEOUT_S)

    async def roll_back(self, model: str, version: int, reason: str) -> None:
        """Takes a version back."""
        stub = model_service_pb2_grpc.ModelServiceStub(self.channel)
        request = model_service_pb2.RollBackModelRequest(name=_name(model), version=str(version), reason=reason[:500])
        token = await self.identity.token_for_self()
        await call(stub.RollBackModel, request, token=token, timeout_s=_TIMEOUT_S, is_repeatable=True)


def counterpart(traffic: model_service_pb2.ModelTraffic, version: int) -> model_version_pb2.ModelVersion | None:
    """Returns the version that a rollback would go to: the stable one, or, where that is the version itself, the newest other that is ready."""
    others = [item for item in traffic.versions if _number(item) != str(version) and item.state == item.STATE_READY]
    stable = [item for item in others if item.is_stable]
    return next(iter(stable or others), None)


def seen_in(traffic: model_service_pb2.ModelTraffic, version: int) -> Seen:
    """Returns what the registry says of a version."""
    other = counterpart(traffic, version)
    stable_reading = _reading(other) if other is not None else Reading()
    for item in traffic.versions:
        if _number(item) == str(version):
            return Seen(
                state=_STATES.get(item.state, VersionState.ABSENT),
                percent=item.traffic_percent,
                is_stable=item.is_stable,
                message=item.message,
                reading=_reading(item),
                stable_reading=stable_reading,
            )
    return Seen(state=VersionState.ABSENT, stable_reading=stable_reading)


def held_bytes(traffic: model_service_pb2.ModelTraffic) -> int:
    """Returns what a model's versions take on a model server, as far as anybody said."""
    return sum(item.memory_bytes for item in traffic.versions if item.state in _HELD)


def tried_versions(traffic: model_service_pb2.ModelTraffic) -> frozenset[int]:
    """Returns the versions that are on their way: loading, or with a share and not stable."""
    return frozenset(
        int(_number(item))
        for item in traffic.versions
        if item.state == item.STATE_LOADING or (item.traffic_percent and not item.is_stable)
    )


def _reading(item: model_version_pb2.ModelVersion) -> Reading:
    figures = item.figures
    return Reading(
        request_count=figures.request_count,
        error_count=figures.error_count,
        latency_total_s=figures.latency_total_s,
    )


def _number(item: model_version_pb2.ModelVersion) -> str:
    return item.name.rpartition("/")[2]


def _name(model: str) -> str:
    return f"models/{model}/traffic"
