"""How a server process lives: bind, become ready, serve, drain on SIGTERM, end."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

import grpc
from grpc_health.v1 import health_pb2
from grpc_health.v1._async import HealthServicer
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from praxiscope_common.server.pipeline import ServerPipeline, Stage

logger = logging.getLogger(__name__)

_READINESS_PERIOD_S = 2.0
_READINESS_TIMEOUT_S = 5.0
MAX_MESSAGE_BYTES = 4 << 20
LIVENESS = "liveness"
"""The name under which health says only whether the process still answers, whatever it needs is there or not."""

Probe = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """How a server listens and stops.

    Attributes:
        address: `host:port`; port 0 takes a free one.
        drain_s: Between saying NOT_SERVING and refusing calls, so that balancers notice.
        grace_s: How long calls in flight may still take.
        default_timeout_s: A unary call's time where the caller gave none.
        max_concurrent_calls: Calls served at once; more are refused with RESOURCE_EXHAUSTED.
    """

    address: str
    drain_s: float = 0.5
    grace_s: float = 20.0
    default_timeout_s: float = 30.0
    max_concurrent_calls: int = 2000


@dataclass(kw_only=True)
class Server:
    """A bound server.

    Attributes:
        config: How it listens and stops.
        server: gRPC's server; add servicers to it before `start`.
        port: The port it is bound to.
        health: Its health service.
        probes: What must answer before it is ready, by name.
        service_names: The full names of the services it has, for health and reflection.
    """

    config: ServerConfig
    server: grpc.aio.Server
    port: int
    health: HealthServicer
    probes: Mapping[str, Probe] = field(default_factory=dict)
    service_names: Sequence[str] = ()

    async def start(self) -> None:
        """Starts to answer; health says NOT_SERVING until the probes have passed."""
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self.health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self.server.start()

    async def follow_readiness(self) -> None:
        """Keeps health true to the probes until cancelled."""
        was_ready: bool | None = None
        while True:
            failed = await self._failed_probes()
            is_ready = not failed
            if is_ready != was_ready:
                logger.info("readiness changed", extra={"is_ready": is_ready, "failed_probes": failed})
                status = health_pb2.HealthCheckResponse
                await self._set_health(status.SERVING if is_ready else status.NOT_SERVING)
                was_ready = is_ready
            await asyncio.sleep(_READINESS_PERIOD_S if is_ready else 0.2)

    async def stop(self) -> None:
        """Drains: says NOT_SERVING, waits for balancers, lets calls in flight end, then closes."""
        await self.health.enter_graceful_shutdown()
        await asyncio.sleep(self.config.drain_s)
        await self.server.stop(self.config.grace_s)

    async def _set_health(self, status: int) -> None:
        for name in ("", *self.service_names):
            await self.health.set(name, status)

    async def _failed_probes(self) -> list[str]:
        failed: list[str] = []
        for name, probe in self.probes.items():
            try:
                async with asyncio.timeout(_READINESS_TIMEOUT_S):
                    await probe()
            except Exception as error:  # noqa: BLE001  a probe may fail in any way; the reason is logged
                logger.debug("probe failed", extra={"probe": name, "error": str(error)})
                failed.append(name)
        return failed


def create_server(
    config: ServerConfig,
    stages: Sequence[Stage],
    *,
    servicers: Mapping[str, Callable[[grpc.aio.Server], None]],
    probes: Mapping[str, Probe] | None = None,
) -> Server:
    """Binds a server.

    Args:
        config: How it listens and stops.
        stages: What every call passes, the outermost first.
        servicers: For each full service name, what adds its servicer to a server.
        probes: What must answer before it is ready, by name.

    Returns:
        The server, bound and not started.

    Raises:
        OSError: If the address cannot be bound.
    """
    server = grpc.aio.server(
        interceptors=[ServerPipeline(stages)],
        maximum_concurrent_rpcs=config.max_concurrent_calls,
        options=[
            ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
            ("grpc.max_send_message_length", MAX_MESSAGE_BYTES * 4),
            ("grpc.so_reuseport", 0),
            ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ],
    )
    health = HealthServicer()
    add_HealthServicer_to_server(health, server)
    for add in servicers.values():
        add(server)
    names = [*servicers, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME]
    reflection.enable_server_reflection(names, server)
    try:
        port = server.add_insecure_port(config.address)
    except RuntimeError as error:
        raise OSError(f"{config.address} cannot be bound; is the port taken?") from error
    return Server(
        config=config,
        server=server,
        port=port,
        health=health,
        probes=probes or {},
        service_names=tuple(servicers),
    )


async def run_until_stopped(server: Server, background: Sequence[Awaitable[None]] = ()) -> None:
    """Serves until SIGTERM or SIGINT, then drains; background work is cancelled after the drain."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await server.start()
    logger.info("serving", extra={"port": server.port})
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(_as_coroutine(work)) for work in (server.follow_readiness(), *background)]
        await stop.wait()
        logger.info("draining")
        running[0].cancel()
        await server.stop()
        for task in running[1:]:
            task.cancel()
    logger.info("stopped")


async def _as_coroutine(work: Awaitable[None]) -> None:
    await work
