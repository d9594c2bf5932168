"""What can be wrong with a call that the core never sees."""

from __future__ import annotations

from praxiscope_common.errors import InvalidInputError


class StreamStartNeededError(InvalidInputError):
    """The first message of the stream must be its start, and no other may be."""

    reason = "STREAM_START_NEEDED"
