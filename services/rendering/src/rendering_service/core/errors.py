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


class EngineUnsuitedError(errors.InvalidInputError):
    """The engine does not draw such a source; leave the engine open."""

    reason = "ENGINE_UNSUITED"


class EngineUnavailableError(errors.PreconditionError):
    """The engine does not run on this machine; leave the engine open, or install what it needs."""

    reason = "ENGINE_UNAVAILABLE"


class ViewTooCostlyError(errors.InvalidInputError):
    """More samples were asked for than one picture may cost; ask for fewer, or for a smaller picture."""

    reason = "VIEW_TOO_COSTLY"


class MeshTooLargeError(errors.InvalidInputError):
    """The mesh needs more memory than an engine may take; simplify it."""

    reason = "MESH_TOO_LARGE"


class EngineTimeoutError(errors.DeadlineError):
    """Drawing took too long; ask for fewer samples, or for a smaller picture."""

    reason = "ENGINE_TIMEOUT"


class EngineFailedError(errors.InternalError):
    """The engine ended without a picture."""

    reason = "ENGINE_FAILED"
