"""Starts Triton on this machine, without a GPU and without root, from the PyPI wheel `nvidia-pytriton`.

The wheel carries the real server, and of backends only `python`; the one that runs our nets is built beside it (`triton_backend.py`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools.devstack.triton_backend import BackendError, build_backend, fingerprint

_PACKAGES = Path("lib/python3.11/site-packages")
_EXIT_TIMEOUT_S = 5


class TritonError(Exception):
    """Triton cannot be started; the message says why and what to do."""


def triton_command(
    environment: Path,
    runtime: Path,
    repository: Path,
    *,
    http_port: int,
    grpc_port: int,
    metrics_port: int,
    otlp_traces_url: str | None = None,
) -> tuple[list[str], dict[str, str]]:
    """The command that runs Triton in the foreground, and its whole environment. Stops on SIGTERM, after about 4 s.

    Args:
        environment: The model environment (requirements/models.in and triton.in).
        runtime: Folder for the server's files; made on the first call, 48 MB.
        repository: Triton's model repository, as `models.provision` makes it.
        http_port: For HTTP and readiness (`/v2/health/ready`).
        grpc_port: For inference.
        metrics_port: For Prometheus (`/metrics`).
        otlp_traces_url: Where to send spans, as in `http://127.0.0.1:4318/v1/traces`; only calls that carry a
            `traceparent` are traced, and their spans join its trace.

    Raises:
        TritonError: The environment lacks the server, or its backend cannot be built.
    """
    environment = environment.absolute()
    build_runtime(environment, runtime)
    command = [
        str(runtime.absolute() / "bin" / "tritonserver"),
        f"--model-repository={repository.absolute()}",
        f"--backend-directory={runtime.absolute() / 'backends'}",
        f"--cache-directory={runtime.absolute() / 'caches'}",
        "--http-address=127.0.0.1",
        f"--http-port={http_port}",
        "--grpc-address=127.0.0.1",
        f"--grpc-port={grpc_port}",
        "--metrics-address=127.0.0.1",
        f"--metrics-port={metrics_port}",
        "--allow-gpu-metrics=false",
        "--pinned-memory-pool-byte-size=0",
        f"--exit-timeout-secs={_EXIT_TIMEOUT_S}",
        # Every model's first version at the start; other versions by a call.
        "--model-control-mode=explicit",
        "--load-model=*",
        # Strictly it would not be ready while a version is being loaded, nor ever after one that cannot be.
        "--strict-readiness=false",
    ]
    if otlp_traces_url:
        command += [
            "--trace-config=mode=opentelemetry",
            "--trace-config=level=TIMESTAMPS",
            "--trace-config=rate=0",
            f"--trace-config=opentelemetry,url={otlp_traces_url}",
        ]
    variables = {"LD_LIBRARY_PATH": str(environment / _PACKAGES / "nvidia_pytriton.libs")}
    return command, variables


def build_runtime(environment: Path, runtime: Path) -> None:
    """Copies the server out of the wheel and builds its backend, once per version of both; of several who come at once one does, and the others wait.

    Args:
        environment: The model environment.
        runtime: Where the copy lies; complete or not there at all.

    Raises:
        TritonError: The wheel is not in the environment, or the backend cannot be built.
    """
    packages = environment / _PACKAGES
    wheel = packages / "pytriton" / "tritonserver"
    versions = sorted(path.name for path in packages.glob("nvidia_pytriton-*.dist-info"))
    if not versions or not wheel.is_dir():
        raise TritonError(f"nvidia-pytriton is not installed in {environment}; install requirements/triton.txt there")
    wanted = f"{versions[-1]} {fingerprint(packages)}"
    if _is_built(runtime, wanted):
        return
    runtime.parent.mkdir(parents=True, exist_ok=True)
    with (
        (runtime.parent / f".{runtime.name}.lock").open("w") as lock,
        tempfile.TemporaryDirectory(dir=runtime.parent, prefix=".triton-") as folder,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, also by a process that dies
        if _is_built(runtime, wanted):
            return
        made = Path(folder) / "new"
        for part in ("bin", "caches"):
            shutil.copytree(wheel / part, made / part)
        (made / "bin" / "tritonserver").chmod(0o755)
        (made / "backends").mkdir()
        try:
            build_backend(packages, made / "backends")
        except BackendError as error:
            raise TritonError(str(error)) from error
        (made / "wheel").write_text(wanted)
        if runtime.exists():
            os.rename(runtime, Path(folder) / "old")
        os.rename(made, runtime)


def _is_built(runtime: Path, wanted: str) -> bool:
    marker = runtime / "wheel"
    return marker.is_file() and marker.read_text() == wanted


@dataclass(frozen=True, kw_only=True)
class RunningTriton:
    """A server that answers.

    Attributes:
        http_port: For HTTP.
        grpc_port: For inference.
        metrics_port: For Prometheus.
        process_id: Of the server.
    """

    http_port: int
    grpc_port: int
    metrics_port: int
    process_id: int

    @property
    def grpc_address(self) -> str:
        """Host and port for inference."""
        return f"127.0.0.1:{self.grpc_port}"


@contextlib.contextmanager
def run_triton(
    environment: Path, runtime: Path, repository: Path, *, log: Path, timeout_s: float = 60.0
) -> Iterator[RunningTriton]:
    """Runs Triton on free ports for as long as the block lasts; for tests and measurements.

    Args:
        environment: The model environment.
        runtime: Folder for the server's files.
        repository: The model repository.
        log: File for the server's output.
        timeout_s: How long it may take to be ready.

    Raises:
        TritonError: It does not become ready.
    """
    http_port, grpc_port, metrics_port = _free_ports(3)
    command, variables = triton_command(
        environment, runtime, repository, http_port=http_port, grpc_port=grpc_port, metrics_port=metrics_port
    )
    with log.open("wb") as output, _process(command, variables, output.fileno()) as process:
        _wait_until_ready(process, http_port, timeout_s, log)
        yield RunningTriton(http_port=http_port, grpc_port=grpc_port, metrics_port=metrics_port, process_id=process.pid)


@contextlib.contextmanager
def _process(command: Sequence[str], variables: Mapping[str, str], output: int) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, env=dict(variables), stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=_EXIT_TIMEOUT_S + 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], http_port: int, timeout_s: float, log: Path) -> None:
    deadline_s = time.monotonic() + timeout_s
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            raise TritonError(f"Triton ended with {process.returncode}; see {log}")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/v2/health/ready", timeout=1.0):
                return
        time.sleep(0.05)
    raise TritonError(f"Triton was not ready after {timeout_s} s; see {log}")


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for opened in sockets:
            opened.bind(("127.0.0.1", 0))
        return [int(opened.getsockname()[1]) for opened in sockets]
