"""What can go wrong in the library."""

from __future__ import annotations

from praxiscope_common import errors


class FileNotInVersionError(errors.NotFoundError):
    """The version has no file of this path."""

    reason = "FILE_NOT_FOUND"


class FilePathNeededError(errors.InvalidInputError):
    """The version has several files; say which."""

    reason = "FILE_PATH_NEEDED"


class EtagMismatchError(errors.AbortedError):
    """The asset has changed since its etag was read; read it again."""

    reason = "ETAG_MISMATCH"


class InvalidUpdateMaskError(errors.InvalidInputError):
    """The update mask names a field that cannot be changed."""

    reason = "INVALID_UPDATE_MASK"


class AssetNotDeletedError(errors.PreconditionError):
    """The asset is not deleted."""

    reason = "ASSET_NOT_DELETED"


class InvalidFilterError(errors.InvalidInputError):
    """The filter cannot be understood."""

    reason = "INVALID_FILTER"


class UploadTooLargeError(errors.InvalidInputError):
    """The upload is larger than this installation takes."""

    reason = "UPLOAD_TOO_LARGE"


class UploadNotOpenError(errors.PreconditionError):
    """The upload was completed, given up, or is too old; start a new one."""

    reason = "UPLOAD_NOT_OPEN"


class UploadIncompleteError(errors.PreconditionError):
    """Parts of the upload have not arrived; put them, then complete it."""

    reason = "UPLOAD_INCOMPLETE"


class PartOutOfRangeError(errors.InvalidInputError):
    """The upload has no part of this number."""

    reason = "PART_OUT_OF_RANGE"


class WrongChecksumError(errors.InvalidInputError):
    """The bytes do not have the SHA-256 that was promised; put the parts again, or start a new upload."""

    reason = "CHECKSUM_MISMATCH"


class ObjectMissingError(errors.NotFoundError):
    """An object that was to become a file is not in the store."""

    reason = "OBJECT_NOT_FOUND"


class OperationNotFailedError(errors.PreconditionError):
    """Only an operation that failed can be tried again."""

    reason = "OPERATION_NOT_FAILED"


class OperationNotDoneError(errors.PreconditionError):
    """The operation is not done; cancel it first."""

    reason = "OPERATION_NOT_DONE"
