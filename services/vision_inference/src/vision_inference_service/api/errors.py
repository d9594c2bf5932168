"""What can be wrong with a call that the core never sees."""

from __future__ import annotations

from praxiscope_common.errors import ExhaustedError, InvalidInputError


class InvalidObservationConfigError(InvalidInputError):
    """The observation config asks for what the models cannot do."""

    reason = "INVALID_OBSERVATION_CONFIG"


class InvalidResumeStateError(InvalidInputError):
    """The resume state is not one that this service gave; start from frame 0."""

    reason = "INVALID_RESUME_STATE"


class QueueFullError(ExhaustedError):
    """As many videos and pictures as can be looked at are being looked at; try again soon."""

    reason = "QUEUE_FULL"


class UnsortedFramesError(InvalidInputError):
    """Frames must come in the order of their times."""

    reason = "UNSORTED_FRAMES"
