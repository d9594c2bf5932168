"""The nets as one stream asks them: always the same versions, with a clock beside them.

How long each answer took goes to the metric `inference_latency_seconds` and to the registry's figures of the version, and each call is a span.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from praxiscope_common.errors import DomainError
from praxiscope_common.telemetry.metrics import Metrics
from praxiscope_common.telemetry.traces import tracer
from vision_inference_service.adapters.triton_models import TritonModels
from vision_inference_service.core.types import FloatArray, ImageArray

Answer = TypeVar("Answer")
Observe = Callable[[str, int, float, bool], None]
OnError = Callable[[str, int, DomainError], DomainError]


class MeasuredModels:
    """Implements `PoseModels` and `ObjectModels` over Triton.

    Args:
        models: The nets.
        metrics: Where times go.
        versions: The version of each net that is asked.
        is_plain: Whether there never was any version but the first.
        observe: Told of each call: model, version, seconds, whether it failed.
        on_error: Says what a failed call means for whoever asked.
    """

    def __init__(
        self,
        models: TritonModels,
        metrics: Metrics,
        *,
        versions: Mapping[str, int],
        is_plain: bool,
        observe: Observe,
        on_error: OnError,
    ) -> None:
        """Keeps all of it."""
        self._models, self._metrics, self._observe, self._on_error = models, metrics, observe, on_error
        self._versions, self._is_plain = dict(versions), is_plain

    @property
    def said_versions(self) -> Mapping[str, int]:
        """The version of each net, for whoever goes on with this stream; empty where there never were any but the first."""
        return {} if self._is_plain else self._versions

    @property
    def version_names(self) -> tuple[str, ...]:
        """Names and versions, as in `movenet_multipose/1`."""
        return tuple(f"{model}/{version}" for model, version in self._versions.items())

    async def detect_persons(self, image_rgb: ImageArray) -> FloatArray:
        """See `PoseModels`."""
        return await self._ask(
            "movenet_multipose", lambda version: self._models.detect_persons(image_rgb, version=version)
        )

    async def estimate_landmarks(self, crops_rgb: ImageArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """See `PoseModels`."""
        return await self._ask(
            "blazepose_full", lambda version: self._models.estimate_landmarks(crops_rgb, version=version)
        )

    async def detect_objects(self, image_rgb: ImageArray) -> FloatArray:
        """See `ObjectModels`."""
        return await self._ask("centernet", lambda version: self._models.detect_objects(image_rgb, version=version))

    async def _ask(self, model: str, ask: Callable[[str], Awaitable[Answer]]) -> Answer:
        version = self._versions[model]
        started_s = time.perf_counter()
        with tracer.start_as_current_span(f"infer {model}", attributes={"model.version": version}):
            try:
                answer = await ask(str(version))
            except DomainError as error:
                self._observe(model, version, time.perf_counter() - started_s, True)
                meant = self._on_error(model, version, error)
                if meant is error:
                    raise
                raise meant from error
        elapsed_s = time.perf_counter() - started_s
        self._observe(model, version, elapsed_s, False)
        self._metrics.inference_latency_s.labels(model).observe(elapsed_s)
        self._metrics.frames.labels(model).inc()
        return answer
