"""Where the stack keeps its things and on which ports its parts listen."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

# One table, shared with the chart: 7400-7499.
PORTS: Mapping[str, int] = {
    "gateway": 7400,
    "gateway-metrics": 7401,
    "auth": 7410,
    "auth-metrics": 7411,
    "library": 7420,
    "library-metrics": 7421,
    "vision-inference": 7430,
    "vision-inference-metrics": 7431,
    "tracking": 7440,
    "tracking-metrics": 7441,
    "tracking-work-metrics": 7442,
    "biomechanics": 7450,
    "biomechanics-metrics": 7451,
    "biomechanics-work-metrics": 7452,
    "generation": 7460,
    "generation-metrics": 7461,
    "generation-work-metrics": 7462,
    "editing": 7470,
    "editing-metrics": 7471,
    "editing-work-metrics": 7472,
    "rendering": 7480,
    "rendering-metrics": 7481,
    "rendering-work-metrics": 7482,
    "triton-http": 7490,
    "triton-grpc": 7491,
    "triton-metrics": 7492,
    "postgres": 7495,
    "s3": 7497,
}
_LOOPBACK = "127.0.0.1"


class StackError(Exception):
    """The stack cannot do what was asked; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How this stack is set up.

    Attributes:
        state: Folder of everything the stack writes.
        environment: The services' Python environment.
        model_environment: The model server's Python environment.
        gateway: The gateway's program.
        profile: The client's profile that is written.
        port_offset: Added to every port, so that two stacks can stand side by side.
        store_kind: `filesystem` or `s3`.
        worker_count: Workers of each service that has any.
        otlp_grpc: `host:port` of a receiver of traces (OTLP over gRPC); empty sends none.
        otlp_http: Address of the same for the model server (OTLP over HTTP), as in `http://127.0.0.1:4318/v1/traces`.
        extra: Variables for every service, as in `PRAXISCOPE_LIBRARY_MAX_UPLOAD_BYTES`.
    """

    state: Path
    environment: Path
    model_environment: Path
    gateway: Path
    profile: Path = CHECKOUT / ".praxiscope" / "profiles.toml"
    port_offset: int = 0
    store_kind: str = "filesystem"
    worker_count: int = 1
    otlp_grpc: str = ""
    otlp_http: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def python(self) -> Path:
        """The services' interpreter."""
        return self.environment / "bin" / "python"

    def port(self, name: str) -> int:
        """Returns the port of a part."""
        return PORTS[name] + self.port_offset

    def address(self, name: str) -> str:
        """Returns `host:port` of a part."""
        return f"{_LOOPBACK}:{self.port(name)}"


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Reads `PRAXISCOPE_STACK_STATE`, `…_PORT_OFFSET`, `…_STORE`, `…_WORKERS`, `…_PROFILE`, `…_OTLP_GRPC` and `…_OTLP_HTTP`.

    Raises:
        StackError: If one of them is not valid.
    """
    state = Path(environ.get("PRAXISCOPE_STACK_STATE") or CHECKOUT / ".praxiscope" / "stack").absolute()
    try:
        port_offset = int(environ.get("PRAXISCOPE_STACK_PORT_OFFSET") or 0)
        worker_count = int(environ.get("PRAXISCOPE_STACK_WORKERS") or 1)
    except ValueError as error:
        raise StackError(
            f"PRAXISCOPE_STACK_PORT_OFFSET and PRAXISCOPE_STACK_WORKERS are whole numbers: {error}"
        ) from error
    store_kind = environ.get("PRAXISCOPE_STACK_STORE") or "filesystem"
    if store_kind not in {"filesystem", "s3"}:
        raise StackError(f"PRAXISCOPE_STACK_STORE is filesystem or s3, not {store_kind!r}")
    if not 0 <= port_offset <= 50_000:
        raise StackError(f"PRAXISCOPE_STACK_PORT_OFFSET is from 0 to 50000, not {port_offset}")
    known = (
        "PRAXISCOPE_AUTH_",
        "PRAXISCOPE_LIBRARY_",
        "PRAXISCOPE_VISION_",
        "PRAXISCOPE_TRACKING_",
        "PRAXISCOPE_BIOMECHANICS_",
    )
    extra = {
        key: value
        for key, value in environ.items()
        if key.startswith((*known, "PRAXISCOPE_RENDERING_", "PRAXISCOPE_EDITING_", "PRAXISCOPE_GATEWAY_"))
    }
    return Settings(
        state=state,
        environment=CHECKOUT / ".venv",
        model_environment=CHECKOUT / ".venv-models",
        gateway=CHECKOUT / "bin" / "gateway",
        profile=Path(environ.get("PRAXISCOPE_STACK_PROFILE") or CHECKOUT / ".praxiscope" / "profiles.toml"),
        port_offset=port_offset,
        store_kind=store_kind,
        worker_count=worker_count,
        otlp_grpc=environ.get("PRAXISCOPE_STACK_OTLP_GRPC", ""),
        otlp_http=environ.get("PRAXISCOPE_STACK_OTLP_HTTP", ""),
        extra=extra,
    )


def check_ports_free(settings: Settings, names: list[str]) -> None:
    """Returns if every port is free.

    Raises:
        StackError: With every port that is taken and how to use others.
    """
    taken = [f"{settings.port(name)} ({name})" for name in names if not _is_free(settings.port(name))]
    if taken:
        raise StackError(
            f"Ports are taken: {', '.join(taken)}. End what listens there (`make down` ends another stack of this checkout),"
            " or set PRAXISCOPE_STACK_PORT_OFFSET=100 to use other ports."
        )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True


def inherited_environment() -> dict[str, str]:
    """Returns what every process gets from ours: paths, locale and certificates, nothing else."""
    kept = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
    return {key: os.environ[key] for key in kept if key in os.environ}
