"""What can go wrong in editing."""

from __future__ import annotations

from praxiscope_common import errors


class InvalidSelectionError(errors.InvalidInputError):
    """The selection is none: a number is not finite, a shape is empty, or it has too many parts."""

    reason = "INVALID_SELECTION"


class InvalidEditError(errors.InvalidInputError):
    """The edit is none: a number is not finite, or what would come of it is no world."""

    reason = "INVALID_EDIT"


class EmptySelectionError(errors.PreconditionError):
    """The selection holds no Gaussian, so there is nothing to edit; select something first."""

    reason = "EMPTY_SELECTION"


class GroundNotFoundError(errors.PreconditionError):
    """No plane holds enough of the selected Gaussians; select a part of the ground."""

    reason = "GROUND_NOT_FOUND"


class HoleNotFoundError(errors.PreconditionError):
    """The selected Gaussians surround no hole; select the surface all around one."""

    reason = "HOLE_NOT_FOUND"


class WorldNotEditableError(errors.PreconditionError):
    """The world holds a mesh, or nothing; only Gaussians are edited."""

    reason = "WORLD_NOT_EDITABLE"


class WorldTooLargeToEditError(errors.PreconditionError):
    """The world takes more memory than this installation gives to one; save a smaller part of it first."""

    reason = "WORLD_TOO_LARGE_TO_EDIT"


class EditNotFoundError(errors.NotFoundError):
    """The stack has no such edit."""

    reason = "EDIT_NOT_FOUND"


class BranchNotFoundError(errors.NotFoundError):
    """The stack has no such branch."""

    reason = "BRANCH_NOT_FOUND"


class BranchExistsError(errors.AlreadyExistsError):
    """The stack has a branch of this name; choose another."""

    reason = "BRANCH_EXISTS"


class NothingToUndoError(errors.PreconditionError):
    """The branch shows the base world; there is no edit to take back."""

    reason = "NOTHING_TO_UNDO"


class NothingToRedoError(errors.PreconditionError):
    """No edit of this branch was taken back."""

    reason = "NOTHING_TO_REDO"


class StackFullError(errors.PreconditionError):
    """The stack holds as many edits or branches as one may; save the world and begin a new stack with it."""

    reason = "STACK_FULL"


class EtagMismatchError(errors.AbortedError):
    """The stack has changed since its etag was read; read it again."""

    reason = "ETAG_MISMATCH"


class QueueFullError(errors.ExhaustedError):
    """As many worlds as can be edited at once are being edited; try again soon."""

    reason = "QUEUE_FULL"
