"""What can go wrong in rendering."""

from __future__ import annotations

from praxiscope_common import errors


class FrameOutOfRangeError(errors.InvalidInputError):
    """The video has no such frame."""

    reason = "START_OUT_OF_RANGE"


class StillTooLargeError(errors.InvalidInputError):
    """The picture is larger than an answer may be; ask for a smaller height."""

    reason = "STILL_TOO_LARGE"


class CodecUnavailableError(errors.UnimplementedError):
    """This installation has no encoder for this codec."""

    reason = "CODEC_UNAVAILABLE"


class QueueFullError(errors.ExhaustedError):
    """As many pictures as can be drawn are being drawn; try again soon."""

    reason = "QUEUE_FULL"
