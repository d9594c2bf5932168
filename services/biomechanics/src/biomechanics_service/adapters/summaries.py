"""A motion in short, as a message."""

from __future__ import annotations

from collections.abc import Sequence

from biomechanics_service.core.summary import PersonSummary
from praxiscope.biomechanics.v1 import motion_pb2


def motion_message(
    persons: Sequence[PersonSummary], *, video: str, frame_count: int, duration_s: float, notes: Sequence[str]
) -> motion_pb2.Motion:
    """Returns the message."""
    message = motion_pb2.Motion(
        video=video, frame_count=frame_count, notes=notes, persons=[_person(person) for person in persons]
    )
    message.duration.FromNanoseconds(round(duration_s * 1e9))
    return message


def _person(person: PersonSummary) -> motion_pb2.PersonSummary:
    return motion_pb2.PersonSummary(
        person_id=person.person_id,
        first_frame=person.first_frame,
        last_frame=person.last_frame,
        seen_frame_count=person.seen_frame_count,
        cadence_steps_per_min=person.cadence_steps_per_min,
        not_measured=person.not_measured,
        angles=[
            motion_pb2.AngleSummary(
                name=angle.name,
                minimum_deg=angle.minimum_deg,
                maximum_deg=angle.maximum_deg,
                range_deg=angle.range_deg,
                sure_share=angle.sure_share,
                mean_confidence=angle.mean_confidence,
            )
            for angle in person.angles
        ],
    )
