"""The operator's settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from operator_service.core.batch import PodSettings
from operator_service.core.resources import MEBIBYTE
from praxiscope_common.config import EnvironmentReader
from praxiscope_common.service import ServiceConfig, read_service_config


@dataclass(frozen=True, kw_only=True)
class OperatorConfig:
    """Settings of the operator.

    Attributes:
        service: What every service has.
        vision_address: `host:port` of vision.
        api_host: The API server's host; Kubernetes sets it in every pod.
        api_port: Its port.
        pod_name: Ours, under which we hold the Lease.
        lease: The Lease's name.
        models: The models of the registry.
        server_labels: Which pods are model servers.
        device_bytes: Memory of a model server's device that versions may take together.
        pods: What pods of analyses are given.
        resync_s: How often everything is looked at when nothing changes.
    """

    service: ServiceConfig
    vision_address: str
    api_host: str
    api_port: int
    pod_name: str
    lease: str
    models: tuple[str, ...]
    server_labels: str
    device_bytes: int
    pods: PodSettings
    resync_s: float


def read_config(environ: Mapping[str, str]) -> OperatorConfig:
    """Reads `PRAXISCOPE_OPERATOR_*`, and what Kubernetes says about itself.

    Raises:
        ConfigError: With everything that is missing or not valid.
    """
    reader = EnvironmentReader(environ, "PRAXISCOPE_OPERATOR_")
    kubernetes = EnvironmentReader(environ, "KUBERNETES_SERVICE_")
    config = OperatorConfig(
        service=read_service_config(reader, "operator"),
        vision_address=reader.text("VISION_INFERENCE_ADDRESS"),
        api_host=kubernetes.text("HOST"),
        api_port=kubernetes.integer("PORT", 443),
        pod_name=reader.text("POD_NAME"),
        lease=reader.text("LEASE", "praxiscope-operator"),
        models=reader.words("MODELS", ("movenet_multipose", "blazepose_full", "centernet")),
        server_labels=reader.text("SERVER_LABELS", "app.kubernetes.io/name=triton"),
        device_bytes=reader.integer("DEVICE_MEMORY_MIB", 4096) * MEBIBYTE,
        pods=PodSettings(
            image=reader.text("BATCH_IMAGE"),
            pull_policy=reader.text("BATCH_PULL_POLICY", "IfNotPresent"),
            gateway_url=reader.text("BATCH_GATEWAY_URL"),
            instance=reader.text("INSTANCE", "praxiscope"),
        ),
        resync_s=reader.number("RESYNC_S", 5.0),
    )
    reader.finish()
    kubernetes.finish()
    return config
