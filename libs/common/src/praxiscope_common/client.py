"""How a service calls another: deadline, identity, request id and trace go along, statuses come back as domain errors.

    client  ->  call()/stream()  ->  gRPC stub

Retries happen here and nowhere else: only UNAVAILABLE, only where the caller says that the call is safe to repeat, within the call's own deadline.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, TypeVar

import grpc

from praxiscope_common.errors import DeadlineError, UnavailableError
from praxiscope_common.identity import VARIANT_KEY, current_call
from praxiscope_common.status import from_rpc_error
from praxiscope_common.telemetry.traces import inject_trace

_Response = TypeVar("_Response")

DEFAULT_TIMEOUT_S = 15.0
_RETRY_ATTEMPTS = 5
_FIRST_BACKOFF_S = 0.1
_MAX_BACKOFF_S = 2.0
MAX_MESSAGE_BYTES = 16 << 20


def open_channel(address: str) -> grpc.aio.Channel:
    """Returns a channel to `address`; close it at the end of the process."""
    return grpc.aio.insecure_channel(
        address,
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
            ("grpc.keepalive_time_ms", 30_000),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 2_000),
        ],
    )


async def call(
    method: Callable[..., Any],
    request: Any,  # noqa: ANN401  a message of the method's contract
    *,
    token: str | None = None,
    timeout_s: float = DEFAULT_TIMEOUT_S,
    is_repeatable: bool = False,
) -> Any:  # noqa: ANN401  a message of the method's contract
    """Makes a unary call.

    Args:
        method: A stub's method.
        request: The request.
        token: The access token to send; None sends the current caller's, an empty one sends none.
        timeout_s: The call's time in seconds; never more than what the current call has left.
        is_repeatable: Whether the call may be made again when the other side was not there.

    Raises:
        DomainError: Whatever the other side answered, as the error it was.
    """
    loop = asyncio.get_running_loop()
    deadline_s = _deadline_s(timeout_s)
    for attempt in range(_RETRY_ATTEMPTS):
        try:
            return await method(request, timeout=max(0.0, deadline_s - loop.time()), metadata=_metadata(token))
        except grpc.RpcError as error:
            translated = from_rpc_error(error)
            backoff_s = min(_MAX_BACKOFF_S, _FIRST_BACKOFF_S * 2**attempt) * (0.5 + random.random() / 2)  # noqa: S311  jitter
            may_retry = is_repeatable and isinstance(translated, UnavailableError) and attempt + 1 < _RETRY_ATTEMPTS
            if not may_retry or loop.time() + backoff_s >= deadline_s:
                raise translated from error
            await asyncio.sleep(backoff_s)
    raise DeadlineError()


async def stream(
    method: Callable[..., Any],
    request: Any | AsyncIterable[Any],  # noqa: ANN401  a message, or messages, of the method's contract
    *,
    token: str | None = None,
    timeout_s: float | None = None,
) -> AsyncIterator[Any]:
    """Yields the answers of a streaming call; leaving the loop cancels the call.

    Args:
        method: A stub's method.
        request: The request, or the requests as an async iterable.
        token: The access token to send; None sends the current caller's, an empty one sends none.
        timeout_s: The call's time in seconds; None lets it run as long as the current call may.

    Raises:
        DomainError: Whatever the other side answered, as the error it was.
    """
    loop = asyncio.get_running_loop()
    deadline_s = (
        None if timeout_s is None and current_call().deadline_s is None else _deadline_s(timeout_s or float("inf"))
    )
    timeout = None if deadline_s is None else max(0.0, deadline_s - loop.time())
    running = method(request, timeout=timeout, metadata=_metadata(token))
    try:
        async for response in running:
            yield response
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error
    finally:
        running.cancel()


def _deadline_s(timeout_s: float) -> float:
    inherited_s = current_call().deadline_s
    own_s = asyncio.get_running_loop().time() + timeout_s
    return own_s if inherited_s is None else min(own_s, inherited_s)


def _metadata(token: str | None) -> tuple[tuple[str, str], ...]:
    context = current_call()
    if token is None:
        token = context.caller.token if context.caller else ""
    metadata = list(inject_trace())
    if token:
        metadata.append(("authorization", f"Bearer {token}"))
    if context.request_id:
        metadata.append(("x-request-id", context.request_id))
    if context.variant:
        metadata.append((VARIANT_KEY, context.variant))
    return tuple(metadata)
