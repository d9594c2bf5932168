"""What can be wrong with what is to be analysed."""

from __future__ import annotations

from praxiscope_common.errors import InvalidInputError


class InvalidMotionConfigError(InvalidInputError):
    """A parameter of the motion analysis is outside its range."""

    reason = "INVALID_MOTION_CONFIG"


class InvalidPersonSeriesError(InvalidInputError):
    """The series of a person does not fit together."""

    reason = "INVALID_PERSON_SERIES"
