"""The stages that every call of every service passes."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import protovalidate
from google.protobuf.message import Message
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from praxiscope_common import access, names
from praxiscope_common.errors import (
    DomainError,
    FieldViolation,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from praxiscope_common.identity import VARIANT_KEY, call_context, current_call
from praxiscope_common.server.pipeline import ServerCall, Stage
from praxiscope_common.server.times import impossible_times
from praxiscope_common.service_calls import calls_on_behalf
from praxiscope_common.status import code_of
from praxiscope_common.telemetry.metrics import Metrics
from praxiscope_common.telemetry.traces import extract_trace, tracer
from praxiscope_common.tokens import TokenVerifier

REQUEST_ID_KEY = "x-request-id"
_REQUEST_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_MAX_REQUEST_ID_LENGTH = 64
_MAX_VARIANT_LENGTH = 32


class InvalidRequestError(InvalidInputError):
    """The request breaks the contract's rules."""

    reason = "INVALID_REQUEST"


class MissingPermissionError(PermissionDeniedError):
    """The caller's token does not hold the permission this method needs."""

    reason = "PERMISSION_DENIED"


class ServiceNotAllowedError(PermissionDeniedError):
    """The token was made for a service that has no business with this method."""

    reason = "SERVICE_NOT_ALLOWED"


class ResourceNotFoundError(NotFoundError):
    """There is no such resource, or it is not the caller's to see."""

    reason = "RESOURCE_NOT_FOUND"


def resource_not_found(name: str) -> ResourceNotFoundError:
    """Returns the one answer for resources that do not exist and for those of other projects."""
    return ResourceNotFoundError(f"{name} was not found.", metadata={"name": name})


def telemetry_stage(metrics: Metrics) -> Stage:
    """Counts, times and traces every call, and gives it a request id."""

    @asynccontextmanager
    async def stage(call: ServerCall) -> AsyncIterator[None]:
        started_s = time.perf_counter()
        request_id = _request_id(call.metadata.get(REQUEST_ID_KEY, ""))
        status = grpc.StatusCode.UNKNOWN
        with (
            tracer.start_as_current_span(
                call.method.lstrip("/"),
                context=extract_trace(call.metadata),
                kind=SpanKind.SERVER,
                attributes={"rpc.system": "grpc", "rpc.method": call.method, "request.id": request_id},
                record_exception=False,
                set_status_on_exception=False,
            ) as span,
            call_context(
                replace(current_call(), request_id=request_id, variant=_variant(call.metadata.get(VARIANT_KEY, "")))
            ),
        ):
            try:
                yield
                status = grpc.StatusCode.OK
            except DomainError as error:
                status = code_of(error)
                _mark(span, error.reason)
                raise
            except (asyncio.CancelledError, GeneratorExit):
                status = grpc.StatusCode.CANCELLED
                raise
            except TimeoutError:
                status = grpc.StatusCode.DEADLINE_EXCEEDED
                raise
            except Exception:  # nothing is swallowed: it is counted as what it will be answered as, and goes on
                status = grpc.StatusCode.INTERNAL
                _mark(span, "INTERNAL")
                raise
            finally:
                endpoint = call.method.lstrip("/")
                metrics.api_requests.labels(endpoint, call.kind, status.name).inc()
                metrics.api_latency_s.labels(endpoint, call.kind).observe(time.perf_counter() - started_s)

    return stage


def deadline_stage(default_timeout_s: float) -> Stage:
    """Ends calls at the caller's deadline, unary ones without any at the default; calls made on the way inherit it."""

    @asynccontextmanager
    async def stage(call: ServerCall) -> AsyncIterator[None]:
        timeout_s = call.context.time_remaining()
        if timeout_s is None and call.kind == "unary_unary":
            timeout_s = default_timeout_s
        if timeout_s is None:
            yield  # a stream without a deadline ends when one side ends it
            return
        deadline_s = asyncio.get_running_loop().time() + timeout_s
        with call_context(replace(current_call(), deadline_s=deadline_s)):
            async with asyncio.timeout(timeout_s):
                yield

    return stage


def access_stage(verifier: TokenVerifier) -> Stage:
    """Checks the caller's token, what a service may call, the permission that the contract declares, and the project.

    A resource of another project than the token's is answered as one that does not exist.
    """

    @asynccontextmanager
    async def stage(call: ServerCall) -> AsyncIterator[None]:
        needed = access.access_of(call.method)
        scheme, _, token = call.metadata.get("authorization", "").partition(" ")
        caller = None
        if needed.permission != access.PUBLIC:
            if scheme.lower() != "bearer" or not token:
                raise UnauthenticatedError()
            caller = await verifier.verify(token.strip())
            if caller.acting_service and call.method not in calls_on_behalf(caller.acting_service):
                raise ServiceNotAllowedError(
                    f"The service {caller.acting_service} does not call this.",
                    metadata={"service": caller.acting_service},
                )
            if needed.permission != access.AUTHENTICATED and needed.permission not in caller.permissions:
                raise MissingPermissionError(
                    f"This needs the permission {needed.permission}.", metadata={"permission": needed.permission}
                )
            if needed.resource_field:
                name = access.resource_in(call.request, needed.resource_field)
                project = names.project_of(name)
                if project is not None and project != caller.project:
                    raise resource_not_found(name)
        with call_context(replace(current_call(), caller=caller)):
            yield

    return stage


def validation_stage() -> Stage:
    """Checks every message against the contract's rules."""
    validator = protovalidate.Validator()

    def check(message: Message) -> None:
        violations = list(impossible_times(message))  # before the rules, which could not compare them
        violations = violations or [
            FieldViolation(field=_path(item.proto.field), description=item.proto.message)
            for item in validator.collect_violations(message)
        ]
        if violations:
            summary = "; ".join(f"{violation.field}: {violation.description}" for violation in violations[:3])
            raise InvalidRequestError(f"The request breaks the contract: {summary}", field_violations=violations)

    @asynccontextmanager
    async def stage(call: ServerCall) -> AsyncIterator[None]:
        check(call.request)
        call.check_message.append(check)
        yield

    return stage


def _path(field: object) -> str:
    parts: list[str] = []
    for element in getattr(field, "elements", ()):
        subscript = getattr(element, "index", None)
        parts.append(element.field_name + (f"[{subscript}]" if subscript else ""))
    return ".".join(parts)


def _mark(span: trace.Span, reason: str) -> None:
    span.set_status(Status(StatusCode.ERROR, reason))


def _variant(offered: str) -> str:
    """Returns the variant that the caller wants where it is harmless, else none."""
    is_harmless = len(offered) <= _MAX_VARIANT_LENGTH and _REQUEST_ID_CHARACTERS.issuperset(offered)
    return offered if is_harmless else ""


def _request_id(offered: str) -> str:
    """Returns the caller's request id where it is harmless, else a new one."""
    if 0 < len(offered) <= _MAX_REQUEST_ID_LENGTH and _REQUEST_ID_CHARACTERS.issuperset(offered):
        return offered
    return secrets.token_hex(16)
