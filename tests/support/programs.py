"""Real servers for tests: started from the same parts as `make up`, on free ports, ended with the test session."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tools.devstack.postgres import as_user
from tools.devstack.process import Part
from tools.devstack.settings import CHECKOUT, PORTS, Settings

_READY_TIMEOUT_S = 60.0
_READY_PERIOD_S = 0.05


def free_port() -> int:
    """Returns a port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def settings_for(state: Path, part: str, *, offset: int | None = None) -> Settings:
    """Returns settings of a stack whose `part` listens on a free port, or all of whose ports have an offset."""
    return Settings(
        state=state,
        environment=CHECKOUT / ".venv",
        model_environment=CHECKOUT / ".venv-models",
        gateway=CHECKOUT / "bin" / "gateway",
        port_offset=free_port() - PORTS[part] if offset is None else offset,
    )


def free_offset(ports: Sequence[int]) -> int:
    """Returns what to add to each port so that all are free; a port may have a second one 10,000 above it."""
    for _ in range(1000):
        offset = random.randrange(100, 65_535 - 10_000 - max(ports))
        if all(_is_free(port + offset) for port in ports):
            return offset
    raise RuntimeError("there are no free ports")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def open_folder(name: str) -> Iterator[Path]:
    """Gives a folder that every user can enter, since PostgreSQL refuses to run as root; removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix=f"praxiscope-{name}-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(part: Part, log: Path, extra: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a part until the end of the block.

    Raises:
        RuntimeError: If it ends or stays unready; the message holds the end of its log.
    """
    with log.open("wb") as output:
        process = subprocess.Popen(
            as_user([*part.command, *extra], part.user_id),
            env=dict(part.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait_until_ready(part, process, log)
            yield process
        finally:
            _end(process, part.stop_signal, part.stop_timeout_s)


def _wait_until_ready(part: Part, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    while not asyncio.run(_ask(part)):
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(f"{part.name} did not become ready:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(_READY_PERIOD_S)


async def _ask(part: Part) -> bool:
    return await part.is_ready()


def _end(process: subprocess.Popen[bytes], stop_signal: int, timeout_s: float) -> None:
    process.send_signal(stop_signal)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
