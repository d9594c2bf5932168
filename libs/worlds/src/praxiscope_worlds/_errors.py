"""What can be wrong with a world."""

from __future__ import annotations

from praxiscope_common.errors import InvalidInputError


class InvalidWorldError(InvalidInputError):
    """The world does not fit itself: shapes, counts or numbers are wrong."""

    reason = "INVALID_WORLD"
