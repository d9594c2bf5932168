"""Between the contract's messages and the core's values."""

from __future__ import annotations

from dataclasses import replace

from biomechanics_service.core.config import MotionConfig
from praxiscope.biomechanics.v1 import motion_service_pb2


def config_from(request: motion_service_pb2.AnalyzeMotionRequest) -> MotionConfig:
    """Returns how to measure: the defaults, with what was asked for in their place.

    Raises:
        InvalidMotionConfigError: If a value is out of its range.
    """
    config = MotionConfig()
    if request.height_m:
        config = replace(config, height_m=request.height_m)
    if request.cutoff_hz:
        config = replace(config, cutoff_hz=request.cutoff_hz)
    return config
