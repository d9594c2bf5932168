"""What every call passes, whatever its kind: stages around the handler, and one place where errors become statuses.

A stage is an async context manager around the handler. It sees the call and its first request message; in a client stream that message is read before the
handler starts, so that a permission or a rule can be checked before any work is done.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_status import rpc_status

from praxiscope_common.errors import DeadlineError, DomainError, InvalidInputError
from praxiscope_common.status import to_status

logger = logging.getLogger(__name__)


class StreamStartNeededError(InvalidInputError):
    """The first message of the stream must be its start, and no other may be."""

    reason = "STREAM_START_NEEDED"


class UnreadableMessageError(InvalidInputError):
    """The bytes are no message of this method's contract."""

    reason = "INVALID_REQUEST"


@dataclass(frozen=True)
class _Unreadable:
    """Stands where a message should be: gRPC would answer UNKNOWN with the decoder's words if reading it raised."""


@dataclass(kw_only=True)
class ServerCall:
    """One call on its way through the stages.

    Attributes:
        method: `/package.Service/Method`.
        kind: `unary_unary`, `unary_stream`, `stream_unary` or `stream_stream`.
        metadata: The call's text metadata; the last of equal keys counts.
        request: The first request message.
        context: gRPC's view of the call.
        status: The code the call ended with, once it has.
        check_message: What every further message of a client stream must pass.
    """

    method: str
    kind: str
    metadata: dict[str, str]
    request: Message
    context: grpc.aio.ServicerContext
    status: grpc.StatusCode = grpc.StatusCode.OK
    check_message: list[Callable[[Message], None]] = field(default_factory=list)


Stage = Callable[[ServerCall], AbstractAsyncContextManager[None]]


class ServerPipeline(grpc.aio.ServerInterceptor):
    """Wraps every handler in the stages.

    Args:
        stages: The stages, the outermost first.
        observe: Told of every call when it is over.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        """Keeps the stages."""
        self._stages = tuple(stages)

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:  # noqa: ANN401  gRPC gives no types
        """Returns the method's handler with the stages around it."""
        handler = await continuation(handler_call_details)
        if handler is None:  # unknown method: gRPC answers UNIMPLEMENTED
            return None
        kind = ("stream" if handler.request_streaming else "unary") + (
            "_stream" if handler.response_streaming else "_unary"
        )
        wrap = self._wrap_streaming if handler.response_streaming else self._wrap_single
        return getattr(grpc, f"{kind}_rpc_method_handler")(
            wrap(getattr(handler, kind), handler_call_details.method, kind),
            request_deserializer=_tolerant(handler.request_deserializer),
            response_serializer=handler.response_serializer,
        )

    def _wrap_single(self, behaviour: Any, method: str, kind: str) -> Any:  # noqa: ANN401
        async def single(request: Any, context: grpc.aio.ServicerContext) -> Any:  # noqa: ANN401
            try:
                call, handled = await _open_call(request, context, method, kind)
                async with AsyncExitStack() as stack:
                    for stage in self._stages:
                        await stack.enter_async_context(stage(call))
                    return await behaviour(handled(call), context)
            except Exception as error:  # noqa: BLE001  the one place where errors become statuses
                await _abort(error, context, method)

        return single

    def _wrap_streaming(self, behaviour: Any, method: str, kind: str) -> Any:  # noqa: ANN401
        # One coroutine that writes, not a generator: where the caller goes away it is cancelled and cleans up in its own context, while a generator that
        # gRPC drops is closed by whoever collects it, in another one.
        async def streaming(request: Any, context: grpc.aio.ServicerContext) -> None:  # noqa: ANN401
            try:
                call, handled = await _open_call(request, context, method, kind)
                async with AsyncExitStack() as stack:
                    for stage in self._stages:
                        await stack.enter_async_context(stage(call))
                    responses = await stack.enter_async_context(aclosing(behaviour(handled(call), context)))
                    async for response in responses:
                        await _write(response, context)
            except Exception as error:  # noqa: BLE001  the one place where errors become statuses
                await _abort(error, context, method)

        return streaming


async def _open_call(
    request: Any,  # noqa: ANN401  a message, or an iterator of messages
    context: grpc.aio.ServicerContext,
    method: str,
    kind: str,
) -> tuple[ServerCall, Callable[[ServerCall], Any]]:
    metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    if not kind.startswith("stream"):
        _require_readable(request)
        call = ServerCall(method=method, kind=kind, metadata=metadata, request=request, context=context)
        return call, lambda _: request
    messages = aiter(request)
    try:
        first = await anext(messages)
    except StopAsyncIteration:
        raise StreamStartNeededError(
            "The stream ended before its first message; the first message starts it."
        ) from None
    _require_readable(first)
    call = ServerCall(method=method, kind=kind, metadata=metadata, request=first, context=context)
    return call, lambda opened: _checked(first, messages, opened)


async def _checked(first: Message, rest: AsyncIterator[Message], call: ServerCall) -> AsyncIterator[Message]:
    yield first  # the stages have checked it
    async for message in rest:
        _require_readable(message)
        for check in call.check_message:
            check(message)
        yield message


async def _write(response: Any, context: grpc.aio.ServicerContext) -> None:  # noqa: ANN401  a message
    try:
        await context.write(response)
    except grpc.aio.InternalError as error:  # the connection is gone, and gRPC has not cancelled the call yet
        raise asyncio.CancelledError from error


def _tolerant(deserialize: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:  # noqa: ANN401  a message of any type
        try:
            return deserialize(data) if deserialize else data
        except DecodeError:
            return _Unreadable()

    return read


def _require_readable(message: object) -> None:
    if isinstance(message, _Unreadable):
        raise UnreadableMessageError()


async def _abort(error: Exception, context: grpc.aio.ServicerContext, method: str) -> None:
    if isinstance(error, grpc.aio.AbortError):  # context.abort() raises this
        raise error
    if isinstance(error, TimeoutError | asyncio.TimeoutError):
        error = DeadlineError()
    if isinstance(error, DomainError):
        await context.abort_with_status(rpc_status.to_status(to_status(error)))  # type: ignore[attr-defined]  not in the stub
    logger.error("unexpected error", extra={"rpc_method": method}, exc_info=error)
    await context.abort(grpc.StatusCode.INTERNAL, "Internal error.")
