"""The one place where a domain error becomes a google.rpc.Status, and a Status a domain error again."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from praxiscope_common import errors

DOMAIN = "praxiscope"
_STATUS_KEY = "grpc-status-details-bin"
_LOST_STATUS = "Internal error from Core"
"""What grpc.aio says when it does not know how a stream ended."""
_AWAY = "A part that this call needs is not there at the moment; try again."
_RETRY_AFTER_S = 1.0
# A status travels in headers, of which a client takes 8 KiB, and words of the caller's stand in it: a longer one would arrive as INTERNAL.
_MAX_MESSAGE_BYTES = 600
_MAX_VALUE_BYTES = 150
_MAX_VIOLATIONS = 5

CODES: Mapping[type[errors.DomainError], grpc.StatusCode] = {
    errors.DomainError: grpc.StatusCode.UNKNOWN,
    errors.InvalidInputError: grpc.StatusCode.INVALID_ARGUMENT,
    errors.UnauthenticatedError: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDeniedError: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotFoundError: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExistsError: grpc.StatusCode.ALREADY_EXISTS,
    errors.PreconditionError: grpc.StatusCode.FAILED_PRECONDITION,
    errors.AbortedError: grpc.StatusCode.ABORTED,
    errors.ExhaustedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.CancelledError: grpc.StatusCode.CANCELLED,
    errors.DeadlineError: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.UnavailableError: grpc.StatusCode.UNAVAILABLE,
    errors.DataLossError: grpc.StatusCode.DATA_LOSS,
    errors.UnimplementedError: grpc.StatusCode.UNIMPLEMENTED,
    errors.InternalError: grpc.StatusCode.INTERNAL,
}
_CATEGORIES: Mapping[int, type[errors.DomainError]] = {code.value[0]: category for category, code in CODES.items()}


def code_of(error: errors.DomainError) -> grpc.StatusCode:
    """Returns the gRPC code of an error: its nearest mapped ancestor decides."""
    return next(CODES[cls] for cls in type(error).__mro__ if cls in CODES)


def to_status(error: errors.DomainError) -> status_pb2.Status:
    """Returns the wire form of `error`, with ErrorInfo and, where it has them, BadRequest and RetryInfo; long texts are cut."""
    metadata = {key: _shortened(value, _MAX_VALUE_BYTES) for key, value in error.metadata.items()}
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    if error.field_violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(
                        field=_shortened(violation.field, _MAX_VALUE_BYTES),
                        description=_shortened(violation.description, _MAX_VALUE_BYTES),
                    )
                    for violation in error.field_violations[:_MAX_VIOLATIONS]
                ]
            )
        )
    if error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        details.append(retry)
    return status_pb2.Status(
        code=code_of(error).value[0],
        message=_shortened(error.message, _MAX_MESSAGE_BYTES),
        details=[_pack(item) for item in details],
    )


def from_status(status: status_pb2.Status) -> errors.DomainError:
    """Returns the error that a Status carries: its category, with the reason that was sent."""
    category = _CATEGORIES.get(status.code, errors.DomainError)
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_after_s = None
    for detail in status.details:
        for message in (info, bad_request):
            if detail.Is(type(message).DESCRIPTOR):  # type: ignore[arg-type]  two names of one type
                detail.Unpack(message)
        if detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
    error = category(
        status.message,
        metadata=dict(info.metadata),
        field_violations=[
            errors.FieldViolation(field=item.field, description=item.description)
            for item in bad_request.field_violations
        ],
        retry_after_s=retry_after_s,
    )
    if info.reason:
        error.reason = info.reason  # type: ignore[misc]  the reason of this one error, not of its class
    return error


def from_rpc_error(error: grpc.RpcError) -> errors.DomainError:
    """Returns the domain error behind what a gRPC call raised.

    grpc.aio may lose the status when the other side ends a stream that is still being written to. What is left says
    nothing about the call, so it counts as an other side that went away: whoever can repeats, and learns the reason.
    """
    code = error.code()  # type: ignore[attr-defined]
    details = error.details() or ""  # type: ignore[attr-defined]
    for key, value in error.trailing_metadata() or ():  # type: ignore[attr-defined]
        if key == _STATUS_KEY:
            try:
                return from_status(status_pb2.Status.FromString(value))
            except DecodeError:
                break
    if code is grpc.StatusCode.INTERNAL and details == _LOST_STATUS:
        return errors.UnavailableError(
            "The stream ended before its time; the reason was lost on the way. Try again.", retry_after_s=_RETRY_AFTER_S
        )
    if code is grpc.StatusCode.UNAVAILABLE:  # gRPC itself says so: nobody listens, or the connection broke
        return errors.UnavailableError(_AWAY, retry_after_s=_RETRY_AFTER_S)
    return from_status(status_pb2.Status(code=code.value[0], message=details))


def _shortened(text: str, most_bytes: int) -> str:
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most_bytes:
        return text
    return encoded[: most_bytes - 3].decode("utf-8", "ignore") + "…"


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
