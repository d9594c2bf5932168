"""Between the registry's messages and the core's values; nowhere else."""

from __future__ import annotations

from praxiscope.vision.v1 import model_service_pb2, model_version_pb2
from vision_inference_service.core.registry import LATENCY_BOUNDS_S, ModelChange, ModelRecord, VersionState

_STATES = {
    VersionState.LOADING: model_version_pb2.ModelVersion.STATE_LOADING,
    VersionState.READY: model_version_pb2.ModelVersion.STATE_READY,
    VersionState.FAILED: model_version_pb2.ModelVersion.STATE_FAILED,
    VersionState.RETIRED: model_version_pb2.ModelVersion.STATE_RETIRED,
}


def model_in(name: str) -> str:
    """Returns the model in `models/{model}[/…]`, whose form the contract has checked."""
    return name.split("/")[1]


def version_in(name: str) -> tuple[str, int]:
    """Returns model and version in `models/{model}/versions/{version}`, whose form the contract has checked."""
    _, model, _, version = name.split("/")
    return model, int(version)


def traffic_message(record: ModelRecord) -> model_service_pb2.ModelTraffic:
    """Returns a model's versions, the newest first."""
    return model_service_pb2.ModelTraffic(
        name=f"models/{record.model}/traffic",
        versions=[version_message(record, version) for version in sorted(record.versions, reverse=True)],
        etag=record.etag,
    )


def version_message(record: ModelRecord, version: int) -> model_version_pb2.ModelVersion:
    """Returns one version."""
    item = record.versions[version]
    message = model_version_pb2.ModelVersion(
        name=f"models/{record.model}/versions/{version}",
        state=_STATES[item.state],
        traffic_percent=item.traffic_percent,
        is_stable=version == record.stable_version,
        memory_bytes=item.memory_bytes,
        message=item.message,
        figures=model_version_pb2.ModelFigures(
            request_count=item.figures.request_count,
            error_count=item.figures.error_count,
            latency_total_s=item.figures.latency_total_s,
            latency_bounds_s=LATENCY_BOUNDS_S,
            latency_counts=item.figures.latency_counts,
        ),
        editor=item.editor,
    )
    if item.update_time is not None:
        message.update_time.FromDatetime(item.update_time)
    return message


def change_message(model: str, change: ModelChange) -> model_service_pb2.ListModelChangesResponse.Change:
    """Returns one change of `models/{model}`."""
    message = model_service_pb2.ListModelChangesResponse.Change(
        action=change.action,
        version=f"{model}/versions/{change.version}" if change.version is not None else "",
        detail=change.detail,
        editor=change.editor,
        request_id=change.request_id,
    )
    message.change_time.FromDatetime(change.change_time)
    return message
