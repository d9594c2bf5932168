"""Uploads whose parts come in another order, twice, half, too long, too late, to the wrong place, and beside their own end."""

from __future__ import annotations

import asyncio
import hashlib
import json
from random import Random
from typing import Any

from fuzz import values
from fuzz.grpc_calls import CallTooLongError, ForbiddenOutcomeError
from fuzz.http_calls import CASE_LIMIT_S, exchange, judge
from fuzz.target import Target

_NAMES = ("a.txt", "video.mp4", "motion.pb.zst", "a b.txt", "ä.txt", "x" * 200)


async def upload(random: Random, target: Target) -> str:
    """Goes through an upload in an order of chance; what was put rightly must be taken, and nothing else.

    Raises:
        ForbiddenOutcomeError: If something was answered with INTERNAL or not at all, or wrong bytes became an asset.
    """
    content = random.randbytes(random.choice((0, 1, 100, 5000)))
    is_honest = random.random() < 0.8
    sha256 = hashlib.sha256(content if is_honest else b"other").hexdigest()
    name = random.choice(_NAMES) if random.random() < 0.7 else values.text(random)
    size = len(content) if random.random() < 0.9 else values.integer(random, -(2**63), 2**63 - 1)
    body = {"upload": {"kind": "KIND_FILE", "file_name": name, "size_bytes": str(size), "sha256": sha256}}
    started = await ask(target, "POST", f"/v1/{target.project}/uploads", body)
    if "name" not in started:
        return reason_of(started)
    is_honest = is_honest and size == len(content)
    seen: list[str] = []
    for _ in range(random.randint(1, 6)):
        seen.append(await _step(random, target, started["name"], content))
    ended = await ask(target, "POST", f"/v1/{started['name']}:complete", {})
    if "latestVersion" in ended:
        if not is_honest:
            raise ForbiddenOutcomeError(f"wrong bytes became an asset after {seen}")
        return "COMPLETED"
    return reason_of(ended)


async def _step(random: Random, target: Target, name: str, content: bytes) -> str:
    match random.randrange(9):
        case 0:
            return reason_of(await ask(target, "POST", f"/v1/{name}:complete", {}))
        case 1:
            both = (ask(target, "POST", f"/v1/{name}:complete", {}) for _ in range(2))
            return " ".join(reason_of(answer) for answer in await asyncio.gather(*both))
        case 2:
            return reason_of(await ask(target, "DELETE", f"/v1/{name}", None)) if random.random() < 0.2 else "kept"
        case 3:
            numbers = [values.integer(random, -(2**31), 2**31 - 1) for _ in range(random.choice((1, 3, 200)))]
            return reason_of(await ask(target, "POST", f"/v1/{name}:createPartTickets", {"partNumbers": numbers}))
    tickets = (await ask(target, "POST", f"/v1/{name}:createPartTickets", {})).get("tickets", [])
    if not tickets:
        return "no tickets"
    path = str(random.choice(tickets)["uri"])
    path = path[path.index("/v1/") :]
    return await _put(random, target, path, content)


async def _put(random: Random, target: Target, path: str, content: bytes) -> str:
    verb, sent, length, kind = "PUT", content, len(content), "length"
    match random.randrange(8):
        case 0:
            sent = content[: len(content) // 2]  # and then nothing more: the connection is closed
            kind = "abandoned"
        case 1:
            sent = content + b"more"
            length = len(sent)
        case 2:
            sent, kind = content + b"x" * random.choice((0, 1, 100_000)), "chunked"
        case 3:
            path = (
                path[:-4] + random.choice(("AAAA", "", "%00", "...."))
                if random.random() < 0.5
                else path + "&ticket=" + "a" * 5000
            )
        case 4:
            verb = random.choice(("GET", "POST", "DELETE", "HEAD", "PATCH"))
        case 5:
            length = random.choice((0, -1, 2**63, len(content) + 1))
            kind = "abandoned" if length > len(content) else "length"
    head = f"{verb} {path} HTTP/1.1\r\nHost: {target.host}\r\nConnection: close\r\n"
    if kind == "chunked":
        request = (
            head.encode()
            + b"Transfer-Encoding: chunked\r\n\r\n"
            + (b"%x\r\n%b\r\n" % (len(sent), sent) if sent else b"")
            + b"0\r\n\r\n"
        )
    else:
        request = head.encode() + b"Content-Length: %d\r\n\r\n" % length + sent
    if kind == "abandoned":
        return await _abandon(target, request)
    try:
        return judge(await exchange(target, request, CASE_LIMIT_S), f"{verb} of a part")
    except TimeoutError:
        raise CallTooLongError(f"{verb} of a part, {kind}") from None


async def _abandon(target: Target, request: bytes) -> str:
    _, writer = await asyncio.open_connection(target.host, target.port)
    writer.write(request)
    await writer.drain()
    writer.close()
    return "abandoned"


async def ask(target: Target, verb: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    """Returns what the gateway answers to JSON, with a key that holds.

    Raises:
        ForbiddenOutcomeError: If it answers with INTERNAL, or not.
    """
    encoded = b"" if body is None else json.dumps(body).encode("utf-8", "replace")
    head = f"{verb} {path} HTTP/1.1\r\nHost: {target.host}\r\nConnection: close\r\nAuthorization: Bearer {target.holding[0]}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(encoded)}\r\n\r\n" if body is not None else "\r\n"
    try:
        answer = await exchange(target, head.encode() + encoded, CASE_LIMIT_S)
    except TimeoutError:
        raise CallTooLongError(f"{verb} {path}") from None
    judge(answer, f"{verb} {path}")
    try:
        document = json.loads(answer.partition(b"\r\n\r\n")[2])
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def reason_of(answer: dict[str, Any]) -> str:
    """Returns the reason of an error, or OK."""
    return next(
        (str(detail["reason"]) for detail in answer.get("details", []) if "reason" in detail),
        "OK" if "code" not in answer else f"code {answer['code']}",
    )
