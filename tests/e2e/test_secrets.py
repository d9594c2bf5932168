"""What must not be said is said nowhere: in no log, no trace, no error, no list of processes."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest

from praxiscope.auth.v1 import auth_pb2, auth_pb2_grpc
from tests.e2e.conftest import RunningStack
from tests.e2e.traces import TraceReceiver

WRONG_KEY = "pxk_" + "0123456789abcdef" * 4
WRONG_TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1c2Vycy9hIn0.c2lnbmF0dXJlLW9mLW5vYm9keQ"
WRONG_PASSWORD = "a password that nobody has 1234"
TRACE = "a3ce929d0e0e47364bf92f3577b34da6"


@pytest.fixture(scope="module")
def said(stack: RunningStack) -> tuple[dict[str, str], list[str]]:
    """Says every kind of secret in every place where one can be said; returns them, and what was answered with an error."""
    credentials, errors = stack.credentials, list[str]()
    with httpx.Client(base_url=stack.url, headers={"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}) as http:

        def ask(verb: str, path: str, **given: object) -> httpx.Response:
            answer = http.request(verb, path, **given)  # type: ignore[arg-type]
            if answer.status_code >= 400:
                errors.append(f"{answer.headers} {answer.text}")
            return answer

        login = {"email": credentials["email"], "password": credentials["password"]}
        tokens = ask("POST", "/v1/auth:login", json=login).json()
        project, key = credentials["project"], credentials["api_key"]
        made = ask(
            "POST",
            f"/v1/{project}/apiKeys",
            json={"api_key": {"display_name": "for this test"}},
            headers={"authorization": f"Bearer {tokens['accessToken']}"},
        ).json()
        content = b"a file that nobody reads"
        upload = ask(
            "POST",
            f"/v1/{project}/uploads",
            json={
                "upload": {
                    "kind": "KIND_FILE",
                    "file_name": "a.txt",
                    "size_bytes": str(len(content)),
                    "sha256": "0" * 64,
                }
            },
            headers={"authorization": f"Bearer {key}"},
        ).json()
        granted = ask("POST", f"/v1/{upload['name']}:createPartTickets", json={}, headers={"x-api-key": key}).json()
        ticket = granted["tickets"][0]["uri"].partition("ticket=")[2]
        ask("PUT", f"/v1/blobs?ticket={ticket}", content=content + b"too long")
        for secret in (key, made["secret"], tokens["accessToken"], WRONG_KEY, WRONG_TOKEN):
            for headers in (
                {"authorization": f"Bearer {secret}"},
                {"x-api-key": secret},
                {"authorization": f"Basic {secret}"},
            ):
                ask("GET", "/v1/auth/caller", headers=headers)
                ask("GET", f"/v1/{project}/assets/nothing", headers=headers)
                ask("POST", f"/v1/{project}/uploads", json={"upload": {"no_such_field": 1}}, headers=headers)
            ask("GET", f"/v1/blobs?ticket={secret}")
            ask("GET", f"/v1/{project}/assets?page_token={secret}", headers={"authorization": f"Bearer {key}"})
        ask("POST", "/v1/auth:login", json=login | {"password": WRONG_PASSWORD})
        ask("POST", "/v1/auth:refresh", json={"refresh_token": tokens["refreshToken"] + "0"})
        ask("POST", "/v1/auth:exchangeApiKey", json={"api_key": WRONG_KEY})
        ask(
            "POST",
            "/v1/auth:login",
            content=json.dumps(login)[:-1].encode(),
            headers={"content-type": "application/json"},
        )
    errors += _over_grpc(stack, [WRONG_KEY, WRONG_TOKEN, tokens["accessToken"] + "x"])
    secrets = {
        "API key": key,
        "new API key": made["secret"],
        "password": credentials["password"],
        "access token": tokens["accessToken"],
        "signature of the access token": tokens["accessToken"].rpartition(".")[2],
        "refresh token": tokens["refreshToken"],
        "ticket": ticket,
        "wrong API key": WRONG_KEY,
        "wrong token": WRONG_TOKEN,
        "wrong password": WRONG_PASSWORD,
        **{path.name: text for path, text in _secret_files(stack.state / "secrets")},
    }
    return secrets, errors


def _over_grpc(stack: RunningStack, wrong: list[str]) -> Iterator[str]:
    with grpc.insecure_channel(stack.url.removeprefix("http://")) as channel:
        users = auth_pb2_grpc.UserServiceStub(channel)
        for secret in wrong:
            with pytest.raises(grpc.RpcError) as caught:
                users.GetCaller(
                    auth_pb2.GetCallerRequest(), metadata=(("authorization", f"Bearer {secret}"),), timeout=20
                )
            yield f"{caught.value.details()} {caught.value.trailing_metadata()}"  # type: ignore[attr-defined]


def _secret_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yields the stack's own secrets: passwords as they are, of private keys the middle."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "pub" not in path.name:
            lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            if lines and "PUBLIC" not in lines[0]:
                yield path, lines[len(lines) // 2]


def _found(secrets: dict[str, str], text: str) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text]


def test_there_are_secrets_to_look_for(said: tuple[dict[str, str], list[str]]) -> None:
    secrets, errors = said
    assert len(secrets) > 14
    assert all(len(secret) >= 16 for secret in secrets.values()), {
        name for name, secret in secrets.items() if len(secret) < 16
    }
    assert len(errors) > 25
    assert _found(secrets, "x" + WRONG_KEY) == ["wrong API key"]


def test_no_log_says_a_secret(stack: RunningStack, said: tuple[dict[str, str], list[str]]) -> None:
    logs = stack.logs()
    assert "serving" in logs
    assert "/v1/auth/caller" in logs
    assert _found(said[0], logs) == []


def test_no_error_says_a_secret(said: tuple[dict[str, str], list[str]]) -> None:
    assert _found(said[0], "\n".join(said[1])) == []


@pytest.mark.timeout(60)
def test_no_trace_says_a_secret(traces: TraceReceiver, said: tuple[dict[str, str], list[str]]) -> None:
    for _ in range(60):  # every process sends its spans in batches of its own, every five seconds
        services = {span.service for span in traces.by_trace().get(TRACE, [])}
        if {"gateway", "auth", "library"} <= services:
            break
        time.sleep(0.5)
    assert {"gateway", "auth", "library"} <= services
    received = traces.everything()
    assert "request.id" in received
    assert _found(said[0], received) == []


def test_no_list_of_processes_says_a_secret(stack: RunningStack, said: tuple[dict[str, str], list[str]]) -> None:
    """Neither what a process was started with nor its environment, which anybody of the same user can read."""
    parts = json.loads((stack.state / "state.json").read_text())["parts"]
    shown: dict[str, str] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            for name in ("cmdline", "environ"):
                try:
                    shown[f"{entry}/{name}"] = (
                        Path("/proc", entry, name).read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                    )
                except OSError:
                    continue  # it has ended, or is somebody else's
    for part in parts:
        assert shown[f"{part['pid']}/cmdline"], part["name"]
    ours = {place: text for place, text in shown.items() if not place.startswith(f"{os.getpid()}/")}
    assert {place: _found(said[0], text) for place, text in ours.items() if _found(said[0], text)} == {}
