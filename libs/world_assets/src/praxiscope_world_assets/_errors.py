"""What can be wrong with a world in the library."""

from __future__ import annotations

from praxiscope_common.errors import NotFoundError


class PictureNotFoundError(NotFoundError):
    """The world was not made from so many pictures, or from none."""

    reason = "PICTURE_NOT_FOUND"
