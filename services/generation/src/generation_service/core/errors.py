"""What can be wrong with what a world is to be made from."""

from __future__ import annotations

from praxiscope_common.errors import InvalidInputError


class InvalidTrainingInputError(InvalidInputError):
    """The pictures, cameras or points cannot make a world."""

    reason = "INVALID_TRAINING_INPUT"


class InvalidTrainingConfigError(InvalidInputError):
    """A training parameter is outside its range."""

    reason = "INVALID_TRAINING_CONFIG"


class InvalidTrainingStateError(InvalidInputError):
    """The saved state does not belong to this training."""

    reason = "INVALID_TRAINING_STATE"


class NoSurfaceError(InvalidInputError):
    """No surface can be seen: the world has hardly anything solid, or its cameras do not look at it."""

    reason = "NO_SURFACE"
