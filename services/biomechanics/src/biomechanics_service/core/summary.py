"""A motion in short: what a list or a terminal shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biomechanics_service.core.types import AngleSeries, MotionAnalysis, PersonMotion

SURE = 0.5  # a confidence above one half counts as sure


@dataclass(frozen=True, kw_only=True)
class AngleSummary:
    """One angle in short.

    Attributes:
        name: Its name.
        minimum_deg: Smallest value over the sure frames; NaN where there is none.
        maximum_deg: Largest value over the sure frames.
        range_deg: Range of motion.
        sure_share: Share of the person's frames in which it is sure.
        mean_confidence: Mean confidence where it was measured.
    """

    name: str
    minimum_deg: float
    maximum_deg: float
    range_deg: float
    sure_share: float
    mean_confidence: float


@dataclass(frozen=True, kw_only=True)
class PersonSummary:
    """One person in short.

    Attributes:
        person_id: The person's number.
        first_frame: First frame in which the person was seen.
        last_frame: Last frame in which the person was seen.
        seen_frame_count: In how many frames the person was seen.
        angles: Each angle that was measured.
        cadence_steps_per_min: NaN where it could not be told.
        not_measured: What was not measured and why.
    """

    person_id: int
    first_frame: int
    last_frame: int
    seen_frame_count: int
    angles: Sequence[AngleSummary]
    cadence_steps_per_min: float
    not_measured: Sequence[str]


def summarise(analysis: MotionAnalysis) -> Sequence[PersonSummary]:
    """Returns every person in short, in the order of their numbers."""
    return [_summarise_person(person) for person in analysis.persons]


def _summarise_person(person: PersonMotion) -> PersonSummary:
    measured = [angle for angle in person.angles.values() if not angle.missing_reason]
    not_measured = [f"{angle.name}: {angle.missing_reason}" for angle in person.angles.values() if angle.missing_reason]
    if person.gait.missing_reason:
        not_measured.append(f"cadence: {person.gait.missing_reason}")
    return PersonSummary(
        person_id=person.person_id,
        first_frame=int(person.frame_index[0]),
        last_frame=int(person.frame_index[-1]),
        seen_frame_count=int(np.isfinite(person.boxes_xyxy_px).all(axis=1).sum()),
        angles=[_summarise_angle(angle) for angle in measured],
        cadence_steps_per_min=person.gait.cadence_steps_per_min,
        not_measured=not_measured,
    )


def _summarise_angle(angle: AngleSeries) -> AngleSummary:
    is_measured = np.isfinite(angle.filtered_deg)
    sure = angle.filtered_deg[is_measured & (angle.confidence > SURE)]
    return AngleSummary(
        name=angle.name,
        minimum_deg=float(sure.min()) if len(sure) else float("nan"),
        maximum_deg=float(sure.max()) if len(sure) else float("nan"),
        range_deg=angle.range_deg,
        sure_share=len(sure) / len(angle.filtered_deg),
        mean_confidence=float(angle.confidence[is_measured].mean()) if is_measured.any() else 0.0,
    )
