"""The nets with a clock beside them: how long each answer took goes to the metric `inference_latency_seconds`, and each call is a span."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from praxiscope_common.telemetry.metrics import Metrics
from praxiscope_common.telemetry.traces import tracer
from vision_inference_service.adapters.triton_models import TritonModels
from vision_inference_service.core.types import FloatArray, ImageArray


class MeasuredModels:
    """Implements `PoseModels` and `ObjectModels` over Triton.

    Args:
        models: The nets.
        metrics: Where times go.
    """

    def __init__(self, models: TritonModels, metrics: Metrics) -> None:
        """Keeps both."""
        self._models, self._metrics = models, metrics

    async def detect_persons(self, image_rgb: ImageArray) -> FloatArray:
        """See `PoseModels`."""
        with self._measure("movenet_multipose"):
            return await self._models.detect_persons(image_rgb)

    async def estimate_landmarks(self, crops_rgb: ImageArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """See `PoseModels`."""
        with self._measure("blazepose_full"):
            return await self._models.estimate_landmarks(crops_rgb)

    async def detect_objects(self, image_rgb: ImageArray) -> FloatArray:
        """See `ObjectModels`."""
        with self._measure("centernet"):
            return await self._models.detect_objects(image_rgb)

    @contextmanager
    def _measure(self, model: str) -> Iterator[None]:
        started_s = time.perf_counter()
        with tracer.start_as_current_span(f"infer {model}"):
            yield
        self._metrics.inference_latency_s.labels(model).observe(time.perf_counter() - started_s)
        self._metrics.frames.labels(model).inc()
