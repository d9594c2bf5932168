"""What requests ask for, as the domain says it."""

from __future__ import annotations

from dataclasses import replace

from generation_service.core.config import TIERS, TrainingConfig
from praxiscope.generation.v1 import generation_service_pb2
from praxiscope_common.errors import InvalidInputError

PROCEDURAL = "procedural"
_Request = generation_service_pb2.ReconstructWorldRequest
_TIERS = {
    _Request.QUALITY_UNSPECIFIED: "standard",
    _Request.QUALITY_DRAFT: "draft",
    _Request.QUALITY_STANDARD: "standard",
    _Request.QUALITY_HIGH: "high",
}
# Longer side of the pictures that a tier is trained on.
_LONG_SIDES_PX = {"draft": 480, "standard": 640, "high": 960}


class UnknownModelError(InvalidInputError):
    """There is no such model here; `procedural` is the one that there is."""

    reason = "UNKNOWN_MODEL"


def check_model(name: str) -> None:
    """Refuses a model that is not here; an empty name means the only one.

    Raises:
        UnknownModelError: It is not.
    """
    if name not in ("", PROCEDURAL):
        raise UnknownModelError(
            f"There is no model {name[:60]!r}; {PROCEDURAL!r} is the one that there is.", metadata={"model": name[:100]}
        )


def training_config_from(request: _Request) -> tuple[TrainingConfig, int]:
    """Returns how a world is trained, and the longer side of the pictures in pixels."""
    tier = _TIERS[request.quality]
    config = TIERS[tier]
    if request.max_gaussian_count:
        config = replace(config, budget=max(16, request.max_gaussian_count))
    return config, request.long_side_px or _LONG_SIDES_PX[tier]
