"""The client over a transport that answers like the gateway: tokens, retries, errors, streams, transfers."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from google.longrunning import operations_pb2

from praxiscope import client as public
from praxiscope.biomechanics.v1 import motion_service_pb2
from praxiscope.client import AsyncClient, Client, PraxiscopeError, Profile, TransportError
from praxiscope.client._async import _RESPONSES
from praxiscope.client._http import Transport
from praxiscope.editing.v1 import edit_service_pb2
from praxiscope.generation.v1 import generation_service_pb2
from praxiscope.rendering.v1 import rendering_service_pb2, world_rendering_service_pb2
from praxiscope.tracking.v1 import tracking_service_pb2

Answer = Callable[[httpx.Request], httpx.Response]


def client_with(answer: Answer, **profile: str) -> AsyncClient:
    made = AsyncClient(Profile(url="http://gateway", project="projects/p", **({"api_key": "pxk_1"} | profile)))
    http = httpx.AsyncClient(base_url="http://gateway", transport=httpx.MockTransport(answer))
    made.transport = Transport(made.profile, http=http)
    return made


def status(code: int, reason: str, **details: Any) -> httpx.Response:
    body = {
        "code": code,
        "message": "It went wrong.",
        "details": [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}],
    }
    body["details"] += details.get("more", [])
    return httpx.Response(details.get("http", 400), json=body, headers=details.get("headers", {}))


async def test_an_error_keeps_its_reason_violations_and_request() -> None:
    violation = {
        "@type": "t/google.rpc.BadRequest",
        "fieldViolations": [{"field": "height_m", "description": "at most 2.6"}],
    }

    def answer(request: httpx.Request) -> httpx.Response:
        return status(3, "INVALID_REQUEST", more=[violation], headers={"x-request-id": "r1"})

    with pytest.raises(PraxiscopeError) as caught:
        await client_with(answer).whoami()
    assert (caught.value.reason, caught.value.request_id) == ("INVALID_REQUEST", "r1")
    assert caught.value.violations == (("height_m", "at most 2.6"),)


async def test_reads_are_repeated_and_calls_that_change_something_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("praxiscope.client._http._FIRST_BACKOFF_S", 0.001)
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        return (
            status(14, "UNAVAILABLE", http=503)
            if len(asked) < 3
            else httpx.Response(200, json={"project": "projects/p"})
        )

    assert (await client_with(answer).whoami()).project == "projects/p"
    assert asked == ["GET"] * 3
    asked.clear()
    with pytest.raises(PraxiscopeError, match="UNAVAILABLE"):
        await client_with(answer).login("a@b.cc", "secret")
    assert asked == ["POST"]


async def test_a_platform_that_is_not_there_is_a_transport_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("praxiscope.client._http._FIRST_BACKOFF_S", 0.001)

    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(TransportError, match="http://gateway does not answer"):
        await client_with(answer).whoami()


async def test_a_login_renews_its_token_and_hands_the_new_refresh_token_on() -> None:
    used: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/auth:refresh":
            used.append(json.loads(request.content)["refresh_token"])
            return httpx.Response(200, json={"accessToken": "access", "refreshToken": f"refresh{len(used) + 1}"})
        assert request.headers["authorization"] == "Bearer access"
        return httpx.Response(200, json={})

    made = client_with(answer, api_key="", refresh_token="refresh1")
    kept: list[str] = []
    made.transport._on_new_refresh_token = kept.append
    await made.whoami()
    await made.whoami()
    assert (used, kept) == (["refresh1"], ["refresh2"])


async def test_a_watch_that_breaks_off_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def line(progress: float, *, done: bool = False) -> bytes:
        document = {
            "name": "projects/p/operations/o",
            "done": done,
            "metadata": {"state": "STATE_SUCCEEDED" if done else "STATE_RUNNING", "progress": progress},
        }
        return json.dumps({"result": document}).encode() + b"\n"

    info = {"@type": "x/google.rpc.ErrorInfo", "reason": "UNAVAILABLE"}
    broken = json.dumps({"error": {"code": 14, "message": "away", "details": [info]}}).encode()
    turns = [line(0.1) + line(0.2), line(0.5) + broken, line(1.0, done=True)]
    made = client_with(lambda request: httpx.Response(200, content=turns.pop(0)))
    assert [progress.progress async for progress in made.watch("projects/p/operations/o")] == [0.1, 0.2, 0.5, 1.0]


async def test_whoever_waits_leaves_no_stream_open(monkeypatch: pytest.MonkeyPatch) -> None:
    is_closed = False

    async def stream(path: str) -> AsyncIterator[dict[str, Any]]:
        nonlocal is_closed
        try:
            yield {"name": "projects/p/operations/o", "done": True, "error": {"code": 3, "message": "no"}}
        finally:
            is_closed = True

    made = client_with(lambda request: httpx.Response(500))
    monkeypatch.setattr(made.transport, "stream", stream)
    with pytest.raises(PraxiscopeError, match="no"):
        await made.wait("projects/p/operations/o")
    assert is_closed


def test_every_methods_result_is_known() -> None:
    """What an operation ends with is declared by its method."""
    declared = set()
    for module in (
        edit_service_pb2,
        generation_service_pb2,
        motion_service_pb2,
        rendering_service_pb2,
        tracking_service_pb2,
        world_rendering_service_pb2,
    ):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                info = method.GetOptions().Extensions[operations_pb2.operation_info]
                if info.response_type:
                    declared.add(f"{module.DESCRIPTOR.package}.{info.response_type}")
    assert len(declared) > 10
    assert declared == set(_RESPONSES)


@pytest.mark.parametrize("size", [0, 1, 10, 25])
async def test_only_parts_that_are_missing_are_sent(size: int, tmp_path: Path) -> None:
    content = bytes(range(size))
    (tmp_path / "clip.mp4").write_bytes(content)
    stored: dict[int, bytes] = {1: content[:10]} if size > 10 else {}
    part_count = -(-size // 10)

    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("/uploads"):
            sent = json.loads(request.content)["upload"]
            assert sent["sha256"] == hashlib.sha256(content).hexdigest()
            return httpx.Response(
                200,
                json={
                    "name": "projects/p/uploads/u",
                    "sizeBytes": str(size),
                    "partSizeBytes": "10",
                    "receivedParts": list(stored),
                },
            )
        if path.endswith(":createPartTickets"):
            missing = [number for number in range(1, part_count + 1) if number not in stored]
            tickets = [
                {
                    "partNumber": number,
                    "uri": f"/blobs/{number}",
                    "offsetBytes": str((number - 1) * 10),
                    "sizeBytes": str(min(10, size - (number - 1) * 10)),
                }
                for number in missing
            ]
            return httpx.Response(200, json={"tickets": tickets})
        if request.method == "PUT":
            number = int(path.rpartition("/")[2])
            assert number not in stored, "a part that had arrived was sent again"
            stored[number] = request.content
            return httpx.Response(200, json={})
        return httpx.Response(200, json={"name": "projects/p/assets/a"})

    told: list[int] = []
    asset = await client_with(answer).upload(tmp_path / "clip.mp4", on_bytes=lambda sent, total: told.append(sent))
    assert asset.name == "projects/p/assets/a"
    assert b"".join(stored[number] for number in sorted(stored)) == content
    assert told == sorted(told)
    assert not told or told[-1] == size


async def test_a_download_goes_on_where_it_broke_off_and_a_wrong_one_is_thrown_away(tmp_path: Path) -> None:
    content = b"0123456789"
    digest = hashlib.sha256(content).hexdigest()

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith(":download"):
            return httpx.Response(200, json={"uri": "/blob", "file": {"sizeBytes": "10", "sha256": digest}})
        start = int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        return httpx.Response(206 if start else 200, content=content[start:])

    target = tmp_path / "curves.csv"
    target.with_name("curves.csv.part").write_bytes(b"0123")
    assert (
        await client_with(answer).download("projects/p/assets/a/versions/1", "curves.csv", target)
    ).read_bytes() == content
    target.with_name("curves.csv.part").write_bytes(b"wrong")
    with pytest.raises(PraxiscopeError, match="CHECKSUM_MISMATCH"):
        await client_with(answer).download("projects/p/assets/a/versions/1", "curves.csv", target)
    assert not target.with_name("curves.csv.part").exists()


def test_the_sync_client_has_every_method_of_the_async_one() -> None:
    with Client(Profile(url="http://127.0.0.1:9", project="projects/p")) as made:
        for name in dir(AsyncClient):
            if not name.startswith("_"):
                assert callable(getattr(made, name)), name
        with pytest.raises(AttributeError):
            _ = made.nothing_of_this_name


def test_what_is_public_is_sorted_and_there() -> None:
    assert public.__all__ == sorted(public.__all__)
    assert all(hasattr(public, name) for name in public.__all__)
