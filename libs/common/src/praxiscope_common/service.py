"""What every service's process starts with: its settings, telemetry, identity, and the stages its calls pass."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from opentelemetry.sdk.trace import TracerProvider

from praxiscope_common.client import open_channel
from praxiscope_common.config import ConfigError, EnvironmentReader, Secret
from praxiscope_common.credentials import AuthKeySource, ServiceIdentity
from praxiscope_common.server.pipeline import Stage
from praxiscope_common.server.runtime import ServerConfig
from praxiscope_common.server.stages import access_stage, deadline_stage, telemetry_stage, validation_stage
from praxiscope_common.telemetry.logs import configure_logs
from praxiscope_common.telemetry.metrics import Metrics
from praxiscope_common.telemetry.traces import configure_traces
from praxiscope_common.tokens import TokenVerifier

_USAGE_EXIT = 2


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """Settings that every service has.

    Attributes:
        name: The service's name, as in `library`.
        server: How its server listens and stops.
        metrics_host: Where it answers scrapes.
        metrics_port: The port for that; 0 answers none.
        log_level: The least severe log written.
        otlp_endpoint: `host:port` of a receiver of traces; empty sends none.
        auth_address: `host:port` of auth.
        private_key: The service's own RSA key, PEM.
    """

    name: str
    server: ServerConfig
    metrics_host: str
    metrics_port: int
    log_level: str
    otlp_endpoint: str
    auth_address: str
    private_key: Secret


def read_service_config(reader: EnvironmentReader, name: str, *, default_timeout_s: float = 30.0) -> ServiceConfig:
    """Reads `…ADDRESS`, `…METRICS_HOST`, `…METRICS_PORT`, `…LOG_LEVEL`, `…OTLP_ENDPOINT`, `…AUTH_ADDRESS`, `…PRIVATE_KEY_FILE`, `…GRACE_S`."""
    return ServiceConfig(
        name=name,
        server=ServerConfig(
            address=reader.text("ADDRESS", "127.0.0.1:0"),
            grace_s=reader.number("GRACE_S", 20.0),
            drain_s=reader.number("DRAIN_S", 0.5),
            default_timeout_s=default_timeout_s,
        ),
        metrics_host=reader.text("METRICS_HOST", "127.0.0.1"),
        metrics_port=reader.integer("METRICS_PORT", 0),
        log_level=reader.text("LOG_LEVEL", "INFO"),
        otlp_endpoint=reader.text("OTLP_ENDPOINT", ""),
        auth_address=reader.text("AUTH_ADDRESS"),
        private_key=reader.secret_file("PRIVATE_KEY_FILE"),
    )


@dataclass(kw_only=True)
class ServiceRuntime:
    """What a process holds from its start to its end.

    Attributes:
        config: The settings.
        metrics: Its metrics.
        traces: Its tracer provider.
        auth_channel: A channel to auth.
        verifier: Checks callers' tokens.
        identity: The service's own.
    """

    config: ServiceConfig
    metrics: Metrics
    traces: TracerProvider
    auth_channel: grpc.aio.Channel
    verifier: TokenVerifier
    identity: ServiceIdentity

    @classmethod
    def start(cls, config: ServiceConfig, *, role: str) -> ServiceRuntime:
        """Starts logs, metrics and traces; call it inside the event loop.

        Args:
            config: The settings.
            role: `serve` or `work`; part of the name under which logs and traces appear.
        """
        name = config.name.replace("_", "-")
        configure_logs(name if role == "serve" else f"{name}-{role}", config.log_level)
        metrics = Metrics()
        if config.metrics_port:
            metrics.serve(config.metrics_host, config.metrics_port)
        channel = open_channel(config.auth_address)
        return cls(
            config=config,
            metrics=metrics,
            traces=configure_traces(name, config.otlp_endpoint),
            auth_channel=channel,
            verifier=TokenVerifier(source=AuthKeySource(channel)),
            identity=ServiceIdentity(service=config.name, private_key=config.private_key, channel=channel),
        )

    def stages(self) -> Sequence[Stage]:
        """Returns what every call passes, the outermost first."""
        return (
            telemetry_stage(self.metrics),
            deadline_stage(self.config.server.default_timeout_s),
            access_stage(self.verifier),
            validation_stage(),
        )

    async def probe_keys(self) -> None:
        """Returns if auth answers."""
        await self.verifier.probe()

    async def stop(self) -> None:
        """Closes what `start` opened; traces that wait are sent first."""
        await self.auth_channel.close()
        await asyncio.to_thread(self.traces.shutdown)


Command = Callable[[Mapping[str, str]], Awaitable[None]]


def run_command(commands: Mapping[str, Command], arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the process was started with; the only place that reads the environment and exits.

    Args:
        commands: What `serve`, `work` and `migrate` do.
        arguments: The process's arguments.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if len(given) != 1 or given[0] not in commands:
        sys.stderr.write(f"usage: python -m SERVICE {{{','.join(commands)}}}\n")
        raise SystemExit(_USAGE_EXIT)
    try:
        with _readable_exit():
            asyncio.run(_awaited(commands[given[0]](os.environ)))  # noqa: TID251  the one reader of the environment
    except KeyboardInterrupt:
        raise SystemExit(130) from None


async def _awaited(work: Awaitable[Any]) -> None:
    await work


def _readable_exit() -> AbstractContextManager[None]:
    @contextmanager
    def guard() -> Any:  # noqa: ANN401  a generator for contextmanager
        try:
            yield
        except (ConfigError, OSError) as error:
            sys.stderr.write(f"{error}\n")
            raise SystemExit(_USAGE_EXIT) from error

    return guard()
