"""Every path of the served OpenAPI document over HTTP/1.1: bodies, queries, paths and headers that are wrong in all ways."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import re
import zlib
from functools import cache
from random import Random
from typing import Any
from urllib.parse import quote

from google.protobuf import json_format

from fuzz import messages, values
from fuzz.grpc_calls import CallTooLongError, ForbiddenOutcomeError, example
from fuzz.target import Target
from tests.support import contracts

CASE_LIMIT_S = 20.0
_WAITING = ("Watch", "Wait")
_MAX_ANSWER_BYTES = 8 << 20
# Of the codes from 500 on, these are about what was asked for.
_OWN_FAULT_CODES = {501, 505}
_VARIABLE = re.compile(r"\{[^}]*\}")
_SEGMENTS = (
    *(
        "..",
        ".",
        "%2e%2e",
        "%2e%2e%2f%2e%2e",
        "%00",
        "%ff%fe",
        "%",
        "%zz",
        "%252e",
        "a%2fb",
        "*",
        "a:b",
        ":purge",
        "a;b=c",
        "a?b",
        "%0d%0aX:1",
        "a%20b",
        "é",
    ),
    *(
        "",
        "-",
        "latest",
        "0",
        "-1",
        "99999999999999999999",
        "a" * 3000,
        "A",
        "a b",
        "%e2%80%ae",
        "\\",
        "'",
        '"',
        "<",
        "{name}",
        "1.5",
        "%5c..%5c",
    ),
)
_HEADERS = (
    *(
        "Idempotency-Key",
        "X-Request-Id",
        "X-Api-Key",
        "Authorization",
        "Accept",
        "Accept-Encoding",
        "Origin",
        "Cookie",
        "X-Forwarded-For",
        "Grpc-Timeout",
    ),
    *(
        "Grpc-Metadata-Authorization",
        "Grpc-Metadata-A-Bin",
        "Traceparent",
        "Baggage",
        "Range",
        "If-None-Match",
        "X-Http-Method-Override",
        "Te",
        "Content-Encoding",
    ),
    *("Content-Type", "Expect", "Upgrade", "Forwarded", "X-Praxiscope-Client-Address", "Host"),
)
_KINDS = (
    *(
        "application/json",
        "application/json",
        "application/json",
        "application/json; charset=utf-16",
        "text/plain",
        "application/xml",
        "",
    ),
    *(
        "multipart/form-data; boundary=x",
        "application/x-protobuf",
        "application/json\x00",
        "application/x-www-form-urlencoded",
    ),
)


async def send_request(random: Random, target: Target) -> str:
    """Sends one request; returns how it was answered.

    Raises:
        ForbiddenOutcomeError: If it was answered with INTERNAL, or not.
    """
    verb, path, method = random.choice(_places(target))
    waits = any(word in method for word in _WAITING)
    token = target.credential(random, method)
    request = _request(random, target, verb, path, method, token)
    try:
        answer = await exchange(target, request, 0.5 if waits else CASE_LIMIT_S)
    except TimeoutError:
        if waits:
            return "WAITED"
        raise CallTooLongError(f"{method}: {verb} {path}") from None
    return judge(answer, f"{method} {verb} {path}", has_deadline=b"\r\nGrpc-Timeout:" in request)


async def exchange(target: Target, request: bytes, limit_s: float) -> bytes:
    """Sends bytes on a connection of their own and returns what comes back until its end.

    Raises:
        TimeoutError: If there is no end.
    """
    async with asyncio.timeout(limit_s):
        reader, writer = await asyncio.open_connection(target.host, target.port)
        try:
            sending = asyncio.ensure_future(_send(writer, request))
            try:
                return await _read(reader)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        finally:
            writer.close()


async def _send(writer: asyncio.StreamWriter, request: bytes) -> None:
    with contextlib.suppress(ConnectionError):  # what the other side has refused it does not read to its end
        writer.write(request)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> bytes:
    answer = bytearray()
    with contextlib.suppress(ConnectionError):
        while (piece := await reader.read(1 << 16)) and len(answer) <= _MAX_ANSWER_BYTES:
            answer += piece
    return bytes(answer)


def judge(answer: bytes, what: str, *, may_be_empty: bool = False, has_deadline: bool = False) -> str:
    """Returns how a request was answered: its reason, or its status.

    Raises:
        ForbiddenOutcomeError: If it was answered with INTERNAL, or not.
    """
    if not answer:
        if may_be_empty:
            return "CLOSED"
        raise ForbiddenOutcomeError(f"no answer: {what}")
    head, _, body = answer.partition(b"\r\n\r\n")
    first = head.split(b"\r\n", 1)[0].split(b" ")
    if len(first) < 2 or not first[0].startswith(b"HTTP/1.") or not first[1].isdigit():
        raise ForbiddenOutcomeError(f"no HTTP: {answer[:60]!r}: {what}")
    if b"\r\nset-cookie: a=b" in head.lower():
        raise ForbiddenOutcomeError(f"a header was put in: {what}")
    code = int(first[1])
    found = re.search(rb'"reason":\s*"([A-Z_]+)"', body)
    reason = found[1].decode() if found else ""
    if has_deadline and reason == "DEADLINE_EXCEEDED":
        return reason
    if (
        (code >= 500 and code not in _OWN_FAULT_CODES)
        or reason == "INTERNAL"
        or b'"code":13' in body
        or b'"code":2,' in body
    ):
        kind = CallTooLongError if code == 504 else ForbiddenOutcomeError
        raise kind(f"{code} {reason} {body[:200]!r}: {what}")
    return reason or ("OK" if code < 400 else f"HTTP {code}")


@cache
def _places_of(openapi_json: str) -> list[tuple[str, str, str]]:
    paths: dict[str, Any] = json.loads(openapi_json)["paths"]
    return [
        (verb.upper(), path, str(rule["operationId"]))
        for path, verbs in paths.items()
        for verb, rule in verbs.items()
        if "operationId" in rule
    ]


def _places(target: Target) -> list[tuple[str, str, str]]:
    return _places_of(json.dumps({"paths": target.openapi["paths"]}))


def _request(random: Random, target: Target, verb: str, path: str, method: str, token: str) -> bytes:
    if random.random() < 0.05:
        verb = random.choice(("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW", "A" * 200))
    filled = _fill(random, target, path) + _query(random, target)
    lines = [f"{verb} {filled} HTTP/1.1", f"Host: {target.host}:{target.port}", "Connection: close"]
    if token:
        lines.append(f"Authorization: Bearer {token}" if random.random() < 0.8 else f"X-Api-Key: {token}")
    body, kind, encoding = b"", "", ""
    if verb in {"POST", "PUT", "PATCH"} or random.random() < 0.05:
        body, kind, encoding = _body(random, target, method)
    if kind:
        lines.append(f"Content-Type: {kind}")
    if encoding:
        lines.append(f"Content-Encoding: {encoding}")
    if random.random() < 0.15:
        for _ in range(random.choice((1, 1, 3, 30))):
            lines.append(f"{random.choice(_HEADERS)}: {_header_value(random)}")
    if body and random.random() < 0.1:
        size = random.choice((1, 7, 4096))
        pieces = [body[start : start + size] for start in range(0, min(len(body), 40 * size), size)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        lines.append("Transfer-Encoding: chunked")
    elif body or verb in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
    head = "\r\n".join(lines).encode("utf-8", "surrogateescape")
    return head + b"\r\n\r\n" + body


def _header_value(random: Random) -> str:
    text = random.choice(
        (
            values.text(random),
            "é\udcff",
            "1n",
            "99999999H",
            "bytes=0-,5-1",
            "text/event-stream",
            "application/x-ndjson",
            "websocket",
            "gzip;q=1e9",
            "a, b" * 900,
        )
    )
    return text.replace("\r", "").replace("\n", "").replace("\x00", "")


def _fill(random: Random, target: Target, path: str) -> str:
    """Returns the path with its variables filled in: with a name that fits, or with what does not."""
    name = random.choice([item for item in target.known if item.startswith("projects/")])

    def segment(_: re.Match[str]) -> str:
        return name if random.random() < 0.7 else random.choice(_SEGMENTS)

    filled = _VARIABLE.sub(segment, path)
    if random.random() < 0.1:
        place = random.randrange(len(filled))
        filled = filled[:place] + random.choice(_SEGMENTS) + filled[place:]
    if random.random() < 0.03:
        filled = random.choice(
            (
                "/" + filled,
                filled + "/",
                filled.replace("/", "//"),
                "/.." + filled,
                filled.upper(),
                "http://evil" + filled,
            )
        )
    return filled.replace(" ", "%20").replace("#", "%23").replace("?", "%3f") or "/"


def _query(random: Random, target: Target) -> str:
    if random.random() < 0.6:
        return ""
    fields = (
        "page_size",
        "pageSize",
        "page_token",
        "filter",
        "show_deleted",
        "depth",
        "name",
        "parent",
        "timeout",
        "update_mask",
        "a.b.c",
        "upload.size_bytes",
        "part_numbers",
    )
    raw = (
        "%ff",
        "%00",
        "%",
        "1e9",
        "-1",
        "99999999999999999999",
        "true",
        "9" * 400,
        "%zz",
        "",
        "300s",
        "display_name,labels,*",
    )
    pairs = [
        f"{random.choice(fields)}={random.choice((random.choice(raw), quote(values.text(random).encode('utf-8', 'replace')), quote(random.choice(target.known))))}"
        for _ in range(random.choice((1, 1, 2, 5, 200 if random.random() < 0.05 else 1)))
    ]
    return "?" + random.choice("&&&;").join(pairs)


def _body(random: Random, target: Target, method: str) -> tuple[bytes, str, str]:
    """Returns a body, what it calls itself, and how it is packed."""
    document = _document(random, target, method)
    if random.random() < 0.35:
        document = _broken_json(random, document)
    kind = random.choice(_KINDS) if random.random() < 0.1 else "application/json"
    chance = random.random()
    if chance < 0.02:
        return gzip.compress(b" " * (50 << 20) + document), kind, "gzip"
    if chance < 0.04:
        return zlib.compress(document), kind, random.choice(("deflate", "gzip", "br", "gzip, gzip, gzip"))
    return document, kind, ""


def _document(random: Random, target: Target, method: str) -> bytes:
    short = method.replace("_", ".", 1)
    try:
        descriptor = contracts.find(short)
        message = example(random, short, target.known)
    except (LookupError, KeyError):
        return b"{}"
    if random.random() < 0.2:
        message = messages.random_message(random, descriptor.input_type, target.known)
    elif random.random() < 0.9:
        messages.change_message(random, message, target.known)
    try:
        document = json_format.MessageToDict(message, preserving_proto_field_name=random.random() < 0.5)
    except (json_format.Error, ValueError, TypeError):  # a time or a mask that JSON cannot say
        return b"{}"
    for part in (*descriptor.input_type.fields_by_name, "api_key", "upload", "asset"):
        if random.random() < 0.2 and isinstance(document.get(part), dict):
            document = document[part]  # where the rule's body is one field of the request
    return json.dumps(document).encode("utf-8", "replace")


def _broken_json(random: Random, document: bytes) -> bytes:
    deep = random.choice((50, 5000, 100_000))
    match random.randrange(12):
        case 0:
            return b'{"a":' * deep + b"1" + b"}" * deep
        case 1:
            return b"[" * deep
        case 2:
            return document[: random.randrange(len(document) + 1)]
        case 3:
            return values.damaged(random, document)
        case 4:
            return document.replace(
                b":",
                b": "
                + random.choice((b"null, ", b"NaN", b"1e400", b"-0", b"[[]]", b'"\\ud800"', b"{}", b"true", b"0x1")),
                1,
            )
        case 5:
            return document[:-1] + b"," + document[1:]
        case 6:
            return b"\xef\xbb\xbf" + document
        case 7:
            return document.decode().encode(random.choice(("utf-16", "utf-32")))
        case 8:
            return document + random.choice((document, b"}", b"\x00", b" " * 100_000))
        case 9:
            return re.sub(
                rb'"([^"]*)"',
                lambda found: (
                    b'"' + found[1] + random.choice((b"", b"\xff", b"\\u0000", b"\\ud83d", b"\xed\xa0\x80")) + b'"'
                ),
                document,
            )
        case 10:
            return b'{"' + b"a" * random.choice((10, 10**6)) + b'": 1}'
        case _:
            return random.choice(
                (
                    b"",
                    b"null",
                    b"[]",
                    b'"a"',
                    b"1",
                    b"{",
                    b"\x00",
                    b"{}{}",
                    b'{"x": 1, "x": 2}',
                    b"//\n{}",
                    b"{'a': 1}",
                    b" " * (7 << 20),
                )
            )
