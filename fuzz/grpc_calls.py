"""Every method over native gRPC: valid requests with a field changed, messages of chance, and bytes that are no message."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from random import Random

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from fuzz import messages, values
from fuzz.target import Target
from praxiscope_common.access import access_of
from praxiscope_common.status import from_rpc_error
from tests.support import contracts
from tests.support.examples import EXAMPLES

CALL_LIMIT_S = 15.0
# These may wait for something that never comes, so they get a deadline of their own, and may use it up.
_WAITING = {"OperationService.WaitOperation", "OperationService.WatchOperation", "Operations.WaitOperation"}
_WAITING_LIMIT_S = 0.3
_FORBIDDEN = {
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
# What may be away here: no test runs the nets on noise.
_AWAY = {"MODEL_UNAVAILABLE", "MODEL_SERVER_UNAVAILABLE", "MODELS_UNAVAILABLE"}
# What any method may answer besides what it declares.
_EVERYWHERE = {
    *(
        "OK",
        "INVALID_REQUEST",
        "INVALID_NAME",
        "UNAUTHENTICATED",
        "INVALID_TOKEN",
        "INVALID_API_KEY",
        "REVOKED_TOKEN",
        "PERMISSION_DENIED",
    ),
    *("SERVICE_NOT_ALLOWED", "RESOURCE_NOT_FOUND", "RATE_LIMITED", "RESOURCE_EXHAUSTED"),
}
_LOST_STATUS = "Internal error from Core"
_PAUSES_S = (0.0, 0.05, 0.3)


class ForbiddenOutcomeError(Exception):
    """A call ended as none may end."""


class CallTooLongError(ForbiddenOutcomeError):
    """A call had no end."""


async def call_method(random: Random, channels: Mapping[str, grpc.aio.Channel], target: Target) -> str:
    """Makes one call; returns how it ended.

    Args:
        random: Where chance comes from.
        channels: A channel for every full service name, or one under the empty name.
        target: What is shot at.

    Raises:
        ForbiddenOutcomeError: If it ended with INTERNAL or the like.
    """
    short = random.choice(sorted(EXAMPLES))
    method = contracts.find(short)
    requests = [
        _request(random, short, method, target.known)
        for _ in range(random.choice((0, 1, 1, 2, 5)) if method.client_streaming else 1)
    ]
    metadata = _metadata(random, target.credential(random, short))
    limit_s = _WAITING_LIMIT_S if short in _WAITING else CALL_LIMIT_S
    channel = channels.get(method.containing_service.full_name) or channels[""]
    compression = random.choice((None, None, None, grpc.Compression.Gzip))
    code, reason, details = grpc.StatusCode.OK, "OK", ""
    for pause_s in _PAUSES_S:
        code, reason, details = await _call(channel, method, requests, metadata, limit_s, compression, pause_s)
        if (
            details != _LOST_STATUS
        ):  # grpc.aio's client loses the status of a stream that ends while it writes; it asks again, slower
            break
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and short in _WAITING:
        return "WAITED"
    if details == _LOST_STATUS:
        return "STATUS_LOST_BY_CLIENT"
    if code in _FORBIDDEN and reason not in _AWAY:
        kind = CallTooLongError if code is grpc.StatusCode.DEADLINE_EXCEEDED else ForbiddenOutcomeError
        raise kind(f"{short}: {code.name} {reason}: {details[:160]}")
    if reason not in _EVERYWHERE | _AWAY | set(
        access_of(f"/{method.containing_service.full_name}/{method.name}").error_reasons
    ):
        raise ForbiddenOutcomeError(f"{short}: {code.name} {reason}, which it does not declare: {details[:160]}")
    return reason


async def _call(
    channel: grpc.aio.Channel,
    method: MethodDescriptor,
    requests: Sequence[bytes],
    metadata: Sequence[tuple[str, str | bytes]],
    limit_s: float,
    compression: grpc.Compression | None,
    pause_s: float,
) -> tuple[grpc.StatusCode, str, str]:
    kind = ("stream" if method.client_streaming else "unary") + ("_stream" if method.server_streaming else "_unary")
    stub = getattr(channel, kind)(f"/{method.containing_service.full_name}/{method.name}")
    given = _each(requests, pause_s) if method.client_streaming else requests[0]
    try:
        call = stub(given, timeout=limit_s, metadata=tuple(metadata), compression=compression)
        if method.server_streaming:
            async for _ in call:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return error.code(), from_rpc_error(error).reason, error.details() or ""
    return grpc.StatusCode.OK, "OK", ""


async def _each(requests: Sequence[bytes], pause_s: float) -> AsyncIterator[bytes]:
    for request in requests:
        yield request
        if pause_s:
            await asyncio.sleep(pause_s)


def example(random: Random, short: str, known: Sequence[str]) -> Message:
    """Returns a request of the contract's form about something that is there, or may be."""
    made = EXAMPLES[short].make(random.choice([name for name in known if "/" in name]))
    return made if isinstance(made, Message) else random.choice(list(made))


def _request(random: Random, short: str, method: MethodDescriptor, known: Sequence[str]) -> bytes:
    chance = random.random()
    if chance < 0.15:
        message = messages.random_message(random, method.input_type, known)
    else:
        message = example(random, short, known)
        for _ in range(0 if chance > 0.95 else random.choice((1, 1, 2))):
            messages.change_message(random, message, known)
    encoded = message.SerializePartialToString()
    return messages.broken_bytes(random, encoded) if 0.15 < chance < 0.3 else encoded


def _metadata(random: Random, credential: str) -> list[tuple[str, str | bytes]]:
    metadata: list[tuple[str, str | bytes]] = []
    if credential and credential.isascii():
        header = random.choice(("authorization", "authorization", "x-api-key"))
        metadata.append((header, credential if header == "x-api-key" else f"Bearer {credential}"))
    if random.random() < 0.2:
        for _ in range(random.choice((1, 2, 20))):
            name = random.choice(
                (
                    "x-request-id",
                    "traceparent",
                    "tracestate",
                    "baggage",
                    "idempotency-key",
                    "x-praxiscope-client-address",
                    "cookie",
                    "grpcgateway-cookie",
                    "x-a",
                )
            )
            text = random.choice(
                (values.text(random), "00-" + "f" * 32 + "-" + "0" * 16 + "-ff", "a=" + "b" * 5000, "x")
            )
            metadata.append((name, "".join(letter for letter in text if 0x20 <= ord(letter) < 0x7F)[:4000]))
        if random.random() < 0.3:
            metadata.append(("x-odd-bin", values.octets(random)))
    return metadata
