"""How a server of ours lives: ready when its parts are, every kind of call treated alike, drained on SIGTERM, quiet about secrets."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import generate_latest

from praxiscope.library.v1 import operation_service_pb2
from praxiscope_common import client
from praxiscope_common.errors import DeadlineError, DomainError, InternalError, PreconditionError, UnavailableError
from praxiscope_common.identity import VARIANT_KEY, CallContext, call_context, current_call
from praxiscope_common.server.pipeline import ServerPipeline
from praxiscope_common.server.runtime import LIVENESS, ServerConfig, create_server
from praxiscope_common.server.stages import deadline_stage, telemetry_stage
from praxiscope_common.status import from_rpc_error
from praxiscope_common.telemetry.logs import REDACTED, configure_logs, redact
from praxiscope_common.telemetry.metrics import Metrics
from praxiscope_common.tokens import TokenVerifier
from tests.support.house import House, Tenant
from tests.support.operations import eventually, idle_operation
from tests.support.programs import free_port
from tools.devstack.settings import CHECKOUT

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class NotNowError(PreconditionError):
    """Not now."""

    reason = "NOT_NOW"


@dataclass
class Echo:
    """A service of raw bytes with a method of every kind; what a call does is said by its bytes."""

    seen: list[Any] = field(default_factory=list)

    async def act(self, request: bytes) -> bytes:
        """Does what the bytes say."""
        self.seen.append(current_call())
        match request:
            case b"refuse":
                raise NotNowError(metadata={"when": "later"}, retry_after_s=3)
            case b"break":
                raise RuntimeError("the password is 1234")
            case b"slow":
                await asyncio.sleep(60)
        return request.upper()

    async def unary_unary(self, request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        return await self.act(request)

    async def unary_stream(self, request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
        yield b"first"
        yield await self.act(request)

    async def stream_unary(self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
        return b"".join([await self.act(request) async for request in requests])

    async def stream_stream(
        self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> AsyncIterator[bytes]:
        async for request in requests:
            yield await self.act(request)

    def add(self, server: grpc.aio.Server) -> None:
        """Adds the methods to a server."""
        handlers = {kind: getattr(grpc, f"{kind}_rpc_method_handler")(getattr(self, kind)) for kind in KINDS}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tests.Echo", handlers),))


@pytest.fixture
def metrics() -> Metrics:
    """Metrics of their own."""
    return Metrics()


@pytest.fixture
async def echo(metrics: Metrics) -> AsyncIterator[tuple[Echo, grpc.aio.Channel]]:
    """A served echo and a channel to it."""
    service = Echo()
    server = create_server(
        ServerConfig(address="127.0.0.1:0", drain_s=0),
        (telemetry_stage(metrics), deadline_stage(5.0)),
        servicers={"tests.Echo": service.add},
    )
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield service, channel
    await server.server.stop(0)


async def ask(channel: grpc.aio.Channel, kind: str, request: bytes, **options: Any) -> list[bytes]:
    """Makes a call of a kind with one request; raises the domain error it ends with."""

    async def requests() -> AsyncIterator[bytes]:
        yield request

    call = getattr(channel, kind)(f"/tests.Echo/{kind}")(
        requests() if kind.startswith("stream") else request, **{"timeout": 10, **options}
    )
    try:
        return [item async for item in call] if kind.endswith("_stream") else [await call]
    except grpc.RpcError as error:
        raise from_rpc_error(error) from error


# Errors, in all four kinds


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_call_is_answered(echo: tuple[Echo, grpc.aio.Channel], kind: str) -> None:
    assert (await ask(echo[1], kind, b"hello"))[-1] == b"HELLO"


@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_of_the_domain_arrives_with_all_it_says(echo: tuple[Echo, grpc.aio.Channel], kind: str) -> None:
    with pytest.raises(PreconditionError) as caught:
        await ask(echo[1], kind, b"refuse")
    error = caught.value
    assert (error.reason, error.metadata, error.retry_after_s) == ("NOT_NOW", {"when": "later"}, 3)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_mistake_of_ours_says_nothing_private_and_is_logged_once(
    echo: tuple[Echo, grpc.aio.Channel], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InternalError) as caught:
        await ask(echo[1], kind, b"break")
    assert caught.value.message == "Internal error."
    assert caught.value.metadata == {}
    logged = [record for record in caplog.records if record.exc_info]
    assert len(logged) == 1


@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_ends_at_its_deadline(echo: tuple[Echo, grpc.aio.Channel], kind: str) -> None:
    started_s = time.monotonic()
    with pytest.raises(DeadlineError):
        await ask(echo[1], kind, b"slow", timeout=0.3)
    assert time.monotonic() - started_s < 2


@pytest.mark.parametrize("kind", ["unary_stream", "stream_stream"])
async def test_a_caller_that_goes_away_in_the_middle_of_a_stream_is_no_mistake_of_ours(
    metrics: Metrics, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    closed: list[str] = []

    class Endless(Echo):
        async def unary_stream(self, request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
            try:
                while True:  # more than the caller's window takes, so that the call ends while it writes
                    yield b"more" * 100_000
            finally:
                closed.append(current_call().request_id)

        async def stream_stream(
            self, requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext
        ) -> AsyncIterator[bytes]:
            async for request in requests:
                async for more in self.unary_stream(request, context):
                    yield more

    server = create_server(
        ServerConfig(address="127.0.0.1:0", drain_s=0), (telemetry_stage(metrics),), servicers={"e": Endless().add}
    )
    await server.start()

    async def requests() -> AsyncIterator[bytes]:
        yield b"go"
        await asyncio.sleep(60)

    with caplog.at_level(logging.INFO):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            call = getattr(channel, kind)(f"/tests.Echo/{kind}")(
                requests() if kind == "stream_stream" else b"go", metadata=(("x-request-id", "a-stream"),)
            )
            assert await call.read()
            await asyncio.sleep(0.3)
        await eventually(_is_true(lambda: bool(closed)), "the handler's end")
        gc.collect()
        await asyncio.sleep(0.2)
    await server.server.stop(0)
    assert closed == ["a-stream"], "the handler cleans up within its own call"
    assert not [record.message for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_call_without_a_deadline_gets_one() -> None:
    service = Echo()
    server = create_server(
        ServerConfig(address="127.0.0.1:0"), (deadline_stage(0.3),), servicers={"tests.Echo": service.add}
    )
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        with pytest.raises(DeadlineError):
            await ask(channel, "unary_unary", b"slow", timeout=None)
    await server.server.stop(0)


async def test_a_call_made_during_a_call_inherits_what_is_left_of_its_time_its_request_id_and_its_variant(
    echo: tuple[Echo, grpc.aio.Channel],
) -> None:
    service, channel = echo
    loop = asyncio.get_running_loop()
    outer = CallContext(request_id="req-7", deadline_s=loop.time() + 0.5, variant="canary")
    slow = channel.unary_unary("/tests.Echo/unary_unary")
    started_s = time.monotonic()
    with call_context(outer), pytest.raises(DeadlineError):
        await client.call(slow, b"slow", timeout_s=30)
    assert time.monotonic() - started_s < 2
    assert service.seen[0].request_id == "req-7"
    assert service.seen[0].variant == "canary"
    assert service.seen[0].deadline_s == pytest.approx(outer.deadline_s, abs=0.2)


async def test_only_what_may_be_repeated_is_repeated() -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{free_port()}") as channel:
        away = channel.unary_unary("/tests.Echo/unary_unary")
        started_s = time.monotonic()
        with pytest.raises(UnavailableError):
            await client.call(away, b"", timeout_s=10)
        once_s = time.monotonic() - started_s
        started_s = time.monotonic()
        with pytest.raises((UnavailableError, DeadlineError)):
            await client.call(away, b"", timeout_s=1.5, is_repeatable=True)
        assert time.monotonic() - started_s > max(0.5, once_s)


# Metrics, request ids


async def test_calls_are_counted_by_method_kind_and_status(
    echo: tuple[Echo, grpc.aio.Channel], metrics: Metrics
) -> None:
    await ask(echo[1], "unary_unary", b"hello")
    for request in (b"refuse", b"break"):
        with pytest.raises(DomainError):
            await ask(echo[1], "unary_stream", request)
    text = generate_latest(metrics.registry).decode()
    for kind, status in (
        ("unary_unary", "OK"),
        ("unary_stream", "FAILED_PRECONDITION"),
        ("unary_stream", "INTERNAL"),
    ):
        assert f'api_requests_total{{endpoint="tests.Echo/{kind}",method="{kind}",status="{status}"}} 1.0' in text
    names = {"api_requests_total", "api_request_duration_seconds", "inference_latency_seconds", "queue_length"}
    assert all(f"# TYPE {name} " in text for name in {*names, "job_duration_seconds", "frames_total"})


@pytest.mark.parametrize(
    ("offered", "is_kept"), [("abc-DEF_123", True), ("", False), ("a b", False), ("x" * 65, False), ('"}', False)]
)
async def test_a_harmless_request_id_is_kept(echo: tuple[Echo, grpc.aio.Channel], offered: str, is_kept: bool) -> None:
    await ask(echo[1], "unary_unary", b"x", metadata=(("x-request-id", offered), (VARIANT_KEY, offered)))
    got = echo[0].seen[0].request_id
    assert (got == offered) is is_kept
    assert len(got) >= 8
    assert echo[0].seen[0].variant == (offered if is_kept else "")


async def test_a_handler_of_an_unknown_method_stays_unknown() -> None:
    async def nothing(_: object) -> None:
        return None

    assert await ServerPipeline([]).intercept_service(nothing, None) is None


# Health, reflection


async def check(channel: grpc.aio.Channel, name: str = "") -> int:
    """Returns what health says."""
    request = health_pb2.HealthCheckRequest(service=name)
    return (await health_pb2_grpc.HealthStub(channel).Check(request, timeout=5)).status


async def test_health_follows_the_probes() -> None:
    is_there = False

    async def probe() -> None:
        if not is_there:
            raise UnavailableError

    server = create_server(
        ServerConfig(address="127.0.0.1:0"), (), servicers={"tests.Echo": Echo().add}, probes={"part": probe}
    )
    await server.start()
    task = asyncio.create_task(server.follow_readiness())
    status = health_pb2.HealthCheckResponse
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:

            def says(expected: int) -> Callable[[], Any]:
                async def look() -> bool:
                    return {await check(channel), await check(channel, "tests.Echo")} == {expected}

                return look

            await eventually(says(status.NOT_SERVING), "not ready", 5)
            is_there = True
            await eventually(says(status.SERVING), "ready", 5)
            is_there = False
            await eventually(says(status.NOT_SERVING), "not ready any more", 5)
            # What it needs is away, and it answers all the same: nobody should kill it.
            assert await check(channel, LIVENESS) == status.SERVING
    finally:
        task.cancel()
        await server.server.stop(0)


async def test_a_port_that_is_taken_is_said_so() -> None:
    first = create_server(ServerConfig(address="127.0.0.1:0"), (), servicers={})
    with pytest.raises(OSError, match="is the port taken"):
        create_server(ServerConfig(address=f"127.0.0.1:{first.port}"), (), servicers={})
    await first.server.stop(0)


@pytest.mark.parametrize("name", ["auth", "library", "tracking", "biomechanics"])
async def test_every_service_is_healthy_and_tells_what_it_serves(house: House, name: str) -> None:
    served = house.served(name)

    async def is_serving() -> bool:
        return await check(served.channel) == health_pb2.HealthCheckResponse.SERVING

    await eventually(is_serving, "it serves")

    async def question() -> AsyncIterator[reflection_pb2.ServerReflectionRequest]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")

    call = reflection_pb2_grpc.ServerReflectionStub(served.channel).ServerReflectionInfo(question(), timeout=5)
    answers = [answer async for answer in call]
    listed = {service.name for service in answers[0].list_services_response.service}
    assert set(served.server.service_names) <= listed
    assert "grpc.health.v1.Health" in listed


async def test_vision_without_its_nets_is_not_ready(house: House) -> None:
    assert await check(house.served("vision_inference").channel) == health_pb2.HealthCheckResponse.NOT_SERVING


# The process


async def _serving(house: House, name: str, log: Path) -> tuple[subprocess.Popen[bytes], int]:
    port = free_port()
    environment = house.process_environment(name, {"ADDRESS": f"127.0.0.1:{port}", "DRAIN_S": "0.2", "GRACE_S": "10"})
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", f"{name}_service", "serve"], env=environment, cwd=CHECKOUT, stderr=output
        )

    async def is_serving() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                return await check(channel) == health_pb2.HealthCheckResponse.SERVING
        except grpc.RpcError:
            return False

    await eventually(is_serving, "the process serves")
    return process, port


async def test_a_call_in_flight_is_answered_after_sigterm_and_logs_hold_no_secret(
    house: House, tenant: Tenant, tmp_path: Path
) -> None:
    log = tmp_path / "library.log"
    process, port = await _serving(house, "library", log)
    try:
        operation = await idle_operation(tenant)
        metadata = (("authorization", f"Bearer {tenant.token}"), ("x-request-id", "in-flight"))
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            wait = channel.unary_unary(
                "/praxiscope.library.v1.OperationService/WaitOperation",
                request_serializer=operation_service_pb2.WaitOperationRequest.SerializeToString,
            )
            request = operation_service_pb2.WaitOperationRequest(name=operation.name, timeout={"seconds": 2})
            in_flight = asyncio.ensure_future(wait(request, metadata=metadata, timeout=15))
            await asyncio.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            assert await in_flight, "the call that was in flight is answered"
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await wait(request, metadata=metadata, timeout=2)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await asyncio.to_thread(process.wait, 15) == 0
    finally:
        process.kill()
        process.wait()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["message"] for line in lines if line["message"] in {"serving", "draining", "stopped"}] == [
        *("serving", "draining", "stopped")
    ]
    assert {line["service"] for line in lines} == {"library"}
    assert tenant.token not in log.read_text()


@pytest.mark.parametrize("name", ["auth", "library", "tracking", "vision_inference", "biomechanics"])
async def test_a_process_without_settings_says_everything_that_is_missing(name: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", f"{name}_service", "serve"],
        env={"PATH": "/usr/bin"},
        cwd=CHECKOUT,
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = done.stderr.decode()
    assert done.returncode == 2
    assert "Traceback" not in said
    assert f"PRAXISCOPE_{name.upper()}_PRIVATE_KEY_FILE is not set." in said
    assert f"PRAXISCOPE_{name.upper()}_AUTH_ADDRESS is not set." in said


# Logs


def test_a_log_line_is_json_without_credentials() -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    key, token = "pxk_" + "0a" * 32, "eyJhbGciOi.eyJzdWIi.c2ln-_x"
    try:
        configure_logs("library", stream=stream)
        with call_context(CallContext(request_id="req-1")):
            logging.getLogger("x").warning("call of %s", key, extra={"uri": f"/v1/blobs?ticket={token}", "n": 3})
        try:
            raise ValueError(f"bad token {token}")
        except ValueError:
            logging.getLogger("x").exception("failed")
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["message"] == f"call of {REDACTED}"
    assert (first["request_id"], first["severity"], first["service"], first["n"]) == ("req-1", "WARNING", "library", 3)
    assert first["uri"] == f"/v1/blobs?ticket={REDACTED}"
    assert "ValueError" in second["exception"]
    assert key not in stream.getvalue()
    assert token not in stream.getvalue()


def test_what_is_no_credential_is_left_alone() -> None:
    for text in ("a.b.c", "eyJ", "projects/p/assets/a", "pxk", "ticket"):
        assert redact(text) == text


# Tokens, when auth is in trouble


class TroubledAuth:
    """An auth that does not answer as it should."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: DomainError | None = None

    async def fetch_keys(self) -> list[dict[str, str]]:
        self.asked += 1
        if self.error:
            raise self.error
        return []

    async def fetch_revocations(self, cursor: int) -> tuple[list[Any], int]:
        self.asked += 1
        if self.error:
            raise self.error
        return [], cursor


@pytest.mark.parametrize("error", [UnavailableError(), DeadlineError(), InternalError()], ids=lambda e: e.reason)
async def test_following_revocations_goes_on_whatever_auth_answers(error: DomainError) -> None:
    auth = TroubledAuth()
    auth.error = error

    async def no_pause(_: float) -> None:
        await asyncio.sleep(0)

    task = asyncio.create_task(TokenVerifier(source=auth).follow_revocations(no_pause))  # type: ignore[arg-type]
    for _ in range(50):
        await asyncio.sleep(0)
    assert not task.done()
    assert auth.asked > 3
    task.cancel()


async def test_invented_key_ids_do_not_make_us_ask_auth_all_the_time() -> None:
    auth = TroubledAuth()
    now_s = 1000.0
    verifier = TokenVerifier(source=auth, clock=lambda: now_s)  # type: ignore[arg-type]
    for number in range(20):
        assert await verifier._key(f"invented-{number}") is None
    assert auth.asked == 1
    now_s += 3
    await verifier._key("invented")
    assert auth.asked == 2


def _is_true(condition: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return condition()

    return look
