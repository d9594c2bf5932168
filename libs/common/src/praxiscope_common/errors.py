"""What can go wrong, in the words of the domain.

One category per gRPC code that a service may answer with; a service subclasses the category and gives the subclass its own `reason`:

    DomainError
    ├── InvalidInputError        the caller's input is wrong, whatever the state          INVALID_ARGUMENT
    ├── UnauthenticatedError     no credential, or one that does not hold                 UNAUTHENTICATED
    ├── PermissionDeniedError    a valid caller may not do this                           PERMISSION_DENIED
    ├── NotFoundError            not there, or not the caller's to see                    NOT_FOUND
    ├── AlreadyExistsError       the name or the request id is taken                      ALREADY_EXISTS
    ├── PreconditionError        the state forbids it; changing the state first helps     FAILED_PRECONDITION
    ├── AbortedError             lost a race; the caller may start over                   ABORTED
    ├── ExhaustedError           a quota or a queue is full; later it may work            RESOURCE_EXHAUSTED
    ├── CancelledError           the caller, or someone for them, ended it                CANCELLED
    ├── DeadlineError            the time given was not enough                            DEADLINE_EXCEEDED
    ├── UnavailableError         a part we need is away; the same call may work later     UNAVAILABLE
    ├── DataLossError            stored bytes are not what was written                    DATA_LOSS
    ├── UnimplementedError       this build cannot do it                                  UNIMPLEMENTED
    └── InternalError            our mistake                                              INTERNAL

Pure: domain code may import this module and nothing else of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True)
class FieldViolation:
    """One field of a request that is wrong.

    Attributes:
        field: Path of the field in the request, as in `upload.size_bytes`.
        description: What is expected and what was given.
    """

    field: str
    description: str


class DomainError(Exception):
    """Something the caller can be told about.

    Args:
        message: What happened and what to do about it; defaults to the class's first docstring line.
        metadata: Every value that the message mentions, so that a program need not parse the message.
        field_violations: The request's wrong fields, where the error is about fields.
        retry_after_s: Seconds after which the same call may work, where it may.
    """

    reason: ClassVar[str] = "UNKNOWN"

    def __init__(
        self,
        message: str | None = None,
        *,
        metadata: Mapping[str, str] | None = None,
        field_violations: Sequence[FieldViolation] = (),
        retry_after_s: float | None = None,
    ) -> None:
        """Keeps the message, its values and the hint when to try again."""
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        self.metadata = dict(metadata or {})
        self.field_violations = tuple(field_violations)
        self.retry_after_s = retry_after_s
        super().__init__(self.message)


class InvalidInputError(DomainError):
    """The request is not valid."""

    reason = "INVALID_INPUT"


class UnauthenticatedError(DomainError):
    """The call carries no valid credential; log in or send an API key."""

    reason = "UNAUTHENTICATED"


class PermissionDeniedError(DomainError):
    """The caller may not do this."""

    reason = "PERMISSION_DENIED"


class NotFoundError(DomainError):
    """There is no such resource."""

    reason = "NOT_FOUND"


class AlreadyExistsError(DomainError):
    """The resource exists already."""

    reason = "ALREADY_EXISTS"


class PreconditionError(DomainError):
    """The resource is in a state that does not allow this."""

    reason = "FAILED_PRECONDITION"


class AbortedError(DomainError):
    """Another call changed the resource at the same time; read it again and retry."""

    reason = "ABORTED"


class ExhaustedError(DomainError):
    """Too much was asked for at once; try again later."""

    reason = "RESOURCE_EXHAUSTED"


class CancelledError(DomainError):
    """The work was cancelled."""

    reason = "CANCELLED"


class DeadlineError(DomainError):
    """The call's time was used up before the work was done."""

    reason = "DEADLINE_EXCEEDED"


class UnavailableError(DomainError):
    """A part that this call needs is not there at the moment; try again."""

    reason = "UNAVAILABLE"


class DataLossError(DomainError):
    """Stored bytes are not what was written."""

    reason = "DATA_LOSS"


class UnimplementedError(DomainError):
    """This installation cannot do this."""

    reason = "UNIMPLEMENTED"


class InternalError(DomainError):
    """Internal error."""

    reason = "INTERNAL"
