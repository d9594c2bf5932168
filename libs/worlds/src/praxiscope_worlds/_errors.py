"""What can be wrong with a world."""

from __future__ import annotations

from praxiscope_common.errors import InvalidInputError, PreconditionError


class InvalidWorldError(InvalidInputError):
    """The world does not fit itself: shapes, counts or numbers are wrong."""

    reason = "INVALID_WORLD"


class InvalidViewError(InvalidInputError):
    """The view is none: its camera has no direction, or its numbers are not finite."""

    reason = "INVALID_VIEW"


class WorldNotDrawableError(PreconditionError):
    """The world holds nothing that can be drawn, or a mesh where Gaussians are wanted."""

    reason = "WORLD_NOT_DRAWABLE"
