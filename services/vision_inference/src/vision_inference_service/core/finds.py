"""A person found in a frame, and whether two finds are one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vision_inference_service.core.memory import Region
from vision_inference_service.core.parameters import ObserverParameters
from vision_inference_service.core.suppression import is_same_body
from vision_inference_service.core.types import PersonCandidate, PersonSource


@dataclass(frozen=True, kw_only=True, eq=False)
class Find:
    """A person found in this frame, and the region it continues, if any."""

    candidate: PersonCandidate
    source: PersonSource
    region: Region | None
    rotation_rad: float = 0.0


def is_found(candidate: PersonCandidate, finds: Sequence[Find], parameters: ObserverParameters) -> bool:
    """Whether an answer is somebody who was found already."""
    return any(
        is_same_body(
            candidate,
            find.candidate,
            max_overlap=parameters.duplicate_overlap,
            min_keypoint_score=parameters.keypoint_score,
            max_distance=parameters.duplicate_distance,
        )
        for find in finds
    )
