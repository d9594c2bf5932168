"""What can be wrong with a drawing, or with the library that draws."""

from __future__ import annotations

from praxiscope_common.errors import ExhaustedError, InternalError, InvalidInputError, PreconditionError


class InvalidPictureError(InvalidInputError):
    """A picture or its gradient does not have the shape and type that it should have."""

    reason = "INVALID_PICTURE"


class WorldTooDenseError(InvalidInputError):
    """The Gaussians reach more tiles than the limit allows; draw a smaller picture or fewer Gaussians."""

    reason = "WORLD_TOO_DENSE"


class KernelsMissingError(PreconditionError):
    """The library of the kernels is not there, or does not run on this machine."""

    reason = "KERNELS_MISSING"


class KernelsBusyError(ExhaustedError):
    """The system gives no more threads or memory; try again later, or with fewer threads."""

    reason = "KERNELS_BUSY"


class KernelsFailedError(InternalError):
    """The device that draws has failed; start the process again."""

    reason = "KERNELS_FAILED"
