"""Bytes on the gateway's port that no client would send: broken HTTP/1.1, broken HTTP/2, broken WebSockets, and clients that are very slow."""

from __future__ import annotations

import asyncio
import os
import struct
import time
from random import Random

from fuzz import values
from fuzz.grpc_calls import CallTooLongError, ForbiddenOutcomeError
from fuzz.http_calls import exchange, judge
from fuzz.target import Target

_BEGIN_OF_HTTP2 = b"PRI * HTTP/2.0"
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_LIMIT_S = 40.0
_QUIET_S = 0.3
# How long the gateway may bear a client that sends next to nothing.
SLOW_LIMIT_S = 75.0
_ANSWER_LIMIT_S = 5.0


async def send_odd_bytes(random: Random, target: Target) -> str:
    """Sends what is no request and looks that the gateway closes or answers it, and lives.

    Raises:
        ForbiddenOutcomeError: If it was answered with INTERNAL.
    """
    made = random.choice((_odd_http, _odd_http, _smuggled, _odd_http2, _odd_websocket))(random, target)
    try:
        answer = await exchange(
            target, made, _QUIET_S if made.startswith(_BEGIN_OF_HTTP2) or random.random() < 0.5 else 12.0
        )
    except TimeoutError:
        return "WAITS_FOR_MORE"  # it is closed by the header's or the connection's time limit, which `slow` measures
    except (ConnectionError, BrokenPipeError):
        return "CLOSED"
    if made.startswith(_BEGIN_OF_HTTP2):
        return "HTTP/2"
    return judge(answer, f"bytes {made[:80]!r}", may_be_empty=True)


def _odd_http(random: Random, target: Target) -> bytes:
    first = random.choice(
        (
            *(
                b"GET / HTTP/1.1",
                b"GET / HTTP/9.9",
                b"GET /",
                b"GET  /  HTTP/1.1",
                b"get / http/1.1",
                b"GET / HTTP/1.1\x00",
                b"\x16\x03\x01\x02\x00\x01",
                b"PRI",
            ),
            *(
                b"GET " + b"/a" * 40_000 + b" HTTP/1.1",
                b"POST /v1/auth:login HTTP/1.1",
                b"OPTIONS * HTTP/1.1",
                b"CONNECT evil:1 HTTP/1.1",
                b"GET http://[::1 HTTP/1.1",
            ),
            *(
                b"\r\n\r\nGET / HTTP/1.1",
                b"GET /\xff\xfe HTTP/1.1",
                b"GET /docs?%s HTTP/1.1" % (b"a" * 9000),
                b"SSTP / HTTP/1.1",
                b"X" * 5000,
            ),
        )
    )
    lines = [first, b"Host: %s" % target.host.encode(), b"Connection: close"]
    for _ in range(random.choice((0, 1, 3))):
        lines.append(
            random.choice(
                (
                    *(
                        b"A: b\r\n folded",
                        b"A : b",
                        b": b",
                        b"A",
                        b"A: \x00",
                        b"A: \xff\xfe",
                        b"A\x00B: c",
                        b"Host: evil",
                        b"Content-Length: -1",
                    ),
                    *(
                        b"Content-Length: 5\r\nContent-Length: 6",
                        b"Transfer-Encoding: xchunked",
                        b"Transfer-Encoding: chunked, chunked",
                        b"Expect: 100-continue",
                    ),
                    *(
                        b"B: " + b"c" * 100_000,
                        b"\r\n".join(b"H%d: v" % index for index in range(3000)),
                        b"Upgrade: h2c\r\nHTTP2-Settings: AAAA",
                        b"X: y\rZ: w",
                        b"X: y\nZ: w",
                    ),
                )
            )
        )
    made = b"\r\n".join(lines) + b"\r\n\r\n"
    return values.damaged(random, made[:4000], most=5) + b"\r\n\r\n" if random.random() < 0.4 else made


def _smuggled(random: Random, target: Target) -> bytes:
    """Two lengths for one body: whichever is believed, the rest must not become a request with an answer of its own."""
    inner = b"GET /v1/auth/caller HTTP/1.1\r\nHost: x\r\n\r\n"
    chunked = b"0\r\n\r\n" + inner
    head = (
        b"POST /v1/auth:login HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Type: application/json\r\n"
        % target.host.encode()
    )
    lengths = random.choice(
        (
            b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(chunked),
            b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
            b"Transfer-Encoding: \x0bchunked\r\nContent-Length: %d\r\n" % len(chunked),
            b"Transfer-Encoding: identity\r\nContent-Length: 5\r\n",
            b"Content-Length: +5\r\n",
            b"Content-Length: 0x5\r\n",
            b"Transfer-Encoding: chunked\r\n",
        )
    )
    sizes = random.choice(
        (
            chunked,
            b"ffffffffffffffff\r\n",
            b"-1\r\n",
            b"5;" + b"x" * 9000 + b"\r\nabcde\r\n0\r\n\r\n",
            b"1\r\na\r\n" * 500,
            b"5\nabcde\n0\n\n",
        )
    )
    return head + lengths + b"\r\n" + sizes


def _odd_http2(random: Random, target: Target) -> bytes:
    frames = bytearray(_PREFACE if random.random() < 0.9 else _PREFACE[: random.randrange(4, len(_PREFACE))])
    frames += _frame(4, 0, 0, b"")
    kind = random.randrange(8)
    for index in range(random.choice((1, 10, 1000))):
        stream = 2 * index + 1
        match kind:
            case 0:  # streams that are opened and reset at once
                frames += _frame(1, 4, stream, b"\x83\x86\x44\x01/\x41\x01a") + _frame(
                    3, 0, stream, struct.pack(">I", 8)
                )
            case 1:  # headers that never end
                frames += _frame(1 if index == 0 else 9, 0, 1, os.urandom(0) + b"\x00\x01a\x01b" * 50)
            case 2:
                frames += _frame(
                    4, 0, 0, struct.pack(">HI", random.choice((1, 3, 4, 5, 6)), random.choice((0, 1, 2**31, 2**32 - 1)))
                )
            case 3:
                frames += _frame(6, 0, 0, b"12345678")
            case 4:
                frames += _frame(8, 0, random.choice((0, 1)), struct.pack(">I", random.choice((0, 1, 2**31 - 1))))
            case 5:
                frames += _frame(0, random.randrange(256), stream, values.octets(random))
            case 6:  # a table of headers that is blown up
                frames += _frame(1, 5, stream, b"\x40\x04bomb\x7f\x80\x1f" + b"a" * 4095 + b"\xbe" * 4000)
            case _:
                frames += _frame(
                    random.randrange(256), random.randrange(256), random.getrandbits(31), values.octets(random)
                )
    return bytes(frames)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def _odd_websocket(random: Random, target: Target) -> bytes:
    path = random.choice(("/v1/live:observe", "/v1/live:track"))
    token = target.credential(random, "")
    key = random.choice(("dGhlIHNhbXBsZSBub25jZQ==", "", "short", "a" * 5000))
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {target.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        f"Sec-WebSocket-Version: {random.choice(('13', '13', '13', '8', 'x'))}\r\nSec-WebSocket-Protocol: praxiscope.v1"
        f"{', bearer.' + token if token else ''}\r\n\r\n"
    ).encode()
    frames = bytearray()
    for _ in range(random.choice((0, 1, 3, 50))):
        payload = values.octets(random)
        opcode = random.choice((0x82, 0x82, 0x81, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8A, 0x83, 0xF2))
        size = random.choice((len(payload), len(payload), 125, 0))
        if random.random() < 0.1:
            frames += bytes((opcode, 0xFF)) + struct.pack(">Q", random.choice((2**63 - 1, 2**40, 10))) + b"mask"
        elif len(payload) < 126:
            frames += bytes((opcode, (0x80 if random.random() < 0.9 else 0) | min(size, 125))) + b"\0\0\0\0" + payload
        else:
            frames += bytes((opcode, 0xFE)) + struct.pack(">H", len(payload)) + b"\0\0\0\0" + payload
    frames += b"\x88\x82\0\0\0\0\x03\xe8" if random.random() < 0.7 else b""
    return head + bytes(frames)


async def be_slow(random: Random, target: Target) -> str:
    """Sends a request a byte at a time and looks when it is cut off.

    Raises:
        CallTooLongError: If the gateway bears it longer than `SLOW_LIMIT_S`.
    """
    head = b"POST /v1/auth:login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n"
    kind, sent_at_once = random.choice(
        (
            ("SILENT", b""),
            ("SLOW_HEADER", head),
            ("SLOW_BODY", head + b"\r\n{"),
            (
                "SLOW_CHUNKS",
                b"POST /v1/auth:login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
            ),
            ("SLOW_PREFACE", _PREFACE[:10]),
            ("SILENT_HTTP2", _PREFACE),
        )
    )
    drip = {"SLOW_HEADER": b"A: b\r\n", "SLOW_BODY": b" ", "SLOW_CHUNKS": b"1\r\n \r\n"}.get(kind, b"")
    started_s = time.monotonic()
    reader, writer = await asyncio.open_connection(target.host, target.port)
    try:
        writer.write(sent_at_once)
        while time.monotonic() - started_s < SLOW_LIMIT_S:
            try:
                async with asyncio.timeout(2.0):
                    piece = await reader.read(4096)
            except TimeoutError:
                writer.write(drip)
                continue
            if not piece:
                return f"{kind}_CUT_OFF"
    except ConnectionError:
        return f"{kind}_CUT_OFF"
    finally:
        writer.close()
    if kind == "SILENT_HTTP2":
        return "SILENT_HTTP2_PINGED"  # an idle gRPC connection is allowed; keepalive asks whether it lives
    raise CallTooLongError(f"{kind}: still connected after {SLOW_LIMIT_S:.0f} s")


async def is_answering(target: Target) -> float:
    """Returns after how many seconds the gateway says that it lives.

    Raises:
        ForbiddenOutcomeError: If it does not, or late.
    """
    started_s = time.monotonic()
    request = f"GET /readyz HTTP/1.1\r\nHost: {target.host}\r\nConnection: close\r\n\r\n".encode()
    try:
        answer = await exchange(target, request, _ANSWER_LIMIT_S * 4)
    except (TimeoutError, OSError) as error:
        raise ForbiddenOutcomeError(f"the gateway does not answer any more: {error}") from error
    if b" 200 " not in answer[:20]:
        raise ForbiddenOutcomeError(f"not ready any more: {answer[-300:]!r}")
    return time.monotonic() - started_s
