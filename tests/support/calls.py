"""Calls as any client makes them, and what came of them: messages, or the error with every byte of its status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from praxiscope_common.errors import DomainError, UnavailableError
from praxiscope_common.status import from_rpc_error
from tests.support import contracts

TIMEOUT_S = 20.0
OK = "OK"
# grpc.aio's client loses the status of a stream that the server ends while a request is being written.
_LOST_STATUS_PAUSES_S = (0.05, 0.2, 0.5)
# Every outcome since the running test began: what a test claims to cover is checked against it.
observed: list[tuple[str, str]] = []


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came of a call.

    Attributes:
        method: The method's short name.
        messages: What was answered before the end.
        code: The status code.
        error: The error, where there was one.
        status: The bytes of `grpc-status-details-bin`.
    """

    method: str
    messages: tuple[Any, ...] = ()
    code: grpc.StatusCode = grpc.StatusCode.OK
    error: DomainError | None = None
    status: bytes = b""

    @property
    def message(self) -> Any:
        """The one message of a call that worked."""
        if self.error is not None:
            raise AssertionError(f"{self.method} failed: {self.outcome}: {self.error.message}") from self.error
        assert len(self.messages) == 1, f"{self.method} answered {len(self.messages)} messages"
        return self.messages[0]

    @property
    def is_status_lost(self) -> bool:
        """Whether grpc.aio could not say how the stream ended."""
        return self.code is grpc.StatusCode.INTERNAL and isinstance(self.error, UnavailableError)

    @property
    def outcome(self) -> str:
        """`OK`, or the error's reason."""
        return OK if self.error is None else self.error.reason

    def fails(self, reason: str) -> DomainError:
        """Returns the error, which must have this reason and the code that its class has."""
        assert self.error is not None, f"{self.method} worked; expected {reason}"
        assert self.outcome == reason, f"{self.method}: {self.outcome} ({self.error.message}); expected {reason}"
        return self.error


class Client:
    """Calls methods by their short names.

    Args:
        channels: The channel for every full service name.
    """

    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self._channels = dict(channels)

    def stub(self, short: str) -> Any:
        """Returns what calls a method."""
        method = contracts.find(short)
        kind = ("stream" if method.client_streaming else "unary") + ("_stream" if method.server_streaming else "_unary")
        return getattr(self._channels[method.containing_service.full_name], kind)(
            f"/{method.containing_service.full_name}/{method.name}",
            request_serializer=contracts.request_type(method).SerializeToString,
            response_deserializer=contracts.response_type(method).FromString,
        )

    async def ask(
        self,
        short: str,
        request: Message | Sequence[Message] | AsyncIterator[Message],
        *,
        token: str = "",
        metadata: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Answer:
        """Makes a call to its end; a client stream takes a sequence of requests."""
        answer = await self._ask_once(short, request, token=token, metadata=metadata, timeout_s=timeout_s)
        for pause_s in _LOST_STATUS_PAUSES_S:
            if not answer.is_status_lost or not isinstance(request, Sequence):
                break
            paced = _each(request, pause_s)
            answer = await self._ask_once(short, paced, token=token, metadata=metadata, timeout_s=timeout_s)
        observed.append((short, answer.outcome))
        return answer

    async def _ask_once(
        self,
        short: str,
        request: Message | Sequence[Message] | AsyncIterator[Message],
        *,
        token: str,
        metadata: Mapping[str, str] | None,
        timeout_s: float,
    ) -> Answer:
        method = contracts.find(short)
        sent = tuple((metadata or {}).items())
        if token:
            sent += (("authorization", f"Bearer {token}"),)
        if method.client_streaming and isinstance(request, Message):
            request = [request]
        given = _each(request) if isinstance(request, Sequence) else request
        call = self.stub(short)(given, timeout=timeout_s, metadata=sent)
        messages: list[Message] = []
        try:
            if method.server_streaming:
                async for message in call:
                    messages.append(message)
            else:
                messages.append(await call)
        except grpc.aio.AioRpcError as error:
            status = next((value for key, value in error.trailing_metadata() if key == "grpc-status-details-bin"), b"")
            answer = Answer(
                method=short,
                messages=tuple(messages),
                code=error.code(),
                error=from_rpc_error(error),
                status=bytes(status),
            )
        else:
            answer = Answer(method=short, messages=tuple(messages))
        return answer


async def _each(requests: Sequence[Message], pause_s: float = 0.0) -> AsyncIterator[Message]:
    for request in requests:
        yield request
        if pause_s:
            await asyncio.sleep(pause_s)
