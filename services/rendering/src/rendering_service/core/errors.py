"""What can go wrong in rendering."""

from __future__ import annotations

from praxiscope_common import errors


class FrameOutOfRangeError(errors.InvalidInputError):
    """The video has no such frame."""

    reason = "START_OUT_OF_RANGE"


class StillTooLargeError(errors.InvalidInputError):
    """The picture is larger than an answer may be; ask for a smaller height."""

    reason = "STILL_TOO_LARGE"


class InvalidMotionError(errors.InvalidInputError):
    """The file is no motion that can be drawn; measure the video again."""

    reason = "INVALID_MOTION"


class CodecUnavailableError(errors.UnimplementedError):
    """This installation has no encoder for this codec."""

    reason = "CODEC_UNAVAILABLE"


class QueueFullError(errors.ExhaustedError):
    """As many pictures as can be drawn are being drawn; try again soon."""

    reason = "QUEUE_FULL"
