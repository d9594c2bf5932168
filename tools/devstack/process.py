"""One process of the stack: how it is started, when it is ready, how it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tools.devstack.settings import StackError

_FIRST_RESTART_S = 0.3
_MAX_RESTART_S = 5.0
_STEADY_AFTER_S = 30.0
_READY_PERIOD_S = 0.1
_LOOK_PERIOD_S = 0.05
_LAST_LINES_S = 2.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_prctl = ctypes.CDLL(None).prctl  # found before any fork: between fork and exec nothing may take a lock
Probe = Callable[[], Awaitable[bool]]
Sink = Callable[[str, bytes], None]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A process to be.

    Attributes:
        name: Its name in the log and in `make status`.
        command: Program and arguments.
        environment: Its whole environment.
        is_ready: Says whether it does its work.
        ready_timeout_s: How long that may take.
        stop_signal: What asks it to end.
        stop_timeout_s: How long that may take before it is killed.
        user_id: The user it runs as, where that is not ours.
        folder: Its working folder.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    is_ready: Probe
    ready_timeout_s: float = 60.0
    stop_signal: int = signal.SIGTERM
    stop_timeout_s: float = 30.0
    user_id: int | None = None
    folder: Path | None = None


@dataclass(kw_only=True)
class RunningPart:
    """A process that is kept running.

    Attributes:
        part: What it is.
        sink: Gets every line it writes.
        process: The process, while there is one.
        is_ready: Whether it was seen to work since it was started.
        restart_count: How often it was started again.
        ready_s: How long its last start took.
    """

    part: Part
    sink: Sink
    process: asyncio.subprocess.Process | None = None
    is_ready: bool = False
    restart_count: int = 0
    ready_s: float = 0.0
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _keeper: asyncio.Task[None] | None = None
    _ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Starts the process, waits until it is ready, and keeps it running from then on.

        Raises:
            StackError: If it ends or stays unready.
        """
        self._keeper = asyncio.create_task(self._keep())
        try:
            await asyncio.wait_for(self._ready.wait(), self.part.ready_timeout_s)
        except TimeoutError as error:
            raise StackError(
                f"{self.part.name} was not ready after {self.part.ready_timeout_s:.0f} s; its log says why (make logs)."
            ) from error

    async def stop(self) -> None:
        """Asks the process to end, kills its group, and returns when the keeper has seen it out."""
        self._stopping.set()
        if self._keeper is not None:
            await self._keeper

    async def _keep(self) -> None:
        """Runs the process again and again.

        It is never cancelled: asyncio waits for ever where the start of a process is cancelled half-way.
        """
        pause_s = _FIRST_RESTART_S
        while not self._stopping.is_set():
            started_s = time.monotonic()
            try:
                await self._run_once()
            except OSError as error:
                self.sink(self.part.name, f"cannot be started: {error}".encode())
            self.is_ready = False
            if self._stopping.is_set():
                return
            code = self.process.returncode if self.process else None
            self.sink(self.part.name, f"ended with {code} and is started again in {pause_s:.1f} s".encode())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)
            ran_s = time.monotonic() - started_s
            pause_s = _FIRST_RESTART_S if ran_s > _STEADY_AFTER_S else min(_MAX_RESTART_S, pause_s * 2)
            self.restart_count += 1

    async def _run_once(self) -> None:
        self.process = process = await asyncio.create_subprocess_exec(
            *self.part.command,
            env=dict(self.part.environment),
            cwd=self.part.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
            limit=1 << 20,
            preexec_fn=_die_with_parent,
            **(
                {"user": self.part.user_id, "group": self.part.user_id, "extra_groups": []} if self.part.user_id else {}
            ),
        )
        waiting = asyncio.create_task(self._await_ready(time.monotonic()))
        copying = asyncio.create_task(self._copy_lines(process))
        # `process.wait` waits for the end of the pipe as well, which a child may hold.
        while process.returncode is None and not self._stopping.is_set():
            await asyncio.sleep(_LOOK_PERIOD_S)
        if process.returncode is None:
            await self._end(process)
        # What it started may outlive it, and holds its ports, its memory and the other end of the pipe.
        self._kill_group(process)
        await asyncio.wait([copying], timeout=_LAST_LINES_S)
        waiting.cancel()
        copying.cancel()
        await asyncio.wait([waiting, copying])

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.part.stop_signal)
        deadline_s = time.monotonic() + self.part.stop_timeout_s
        while process.returncode is None:
            if time.monotonic() > deadline_s:
                self.sink(self.part.name, b"did not end in time and is killed")
                return
            await asyncio.sleep(_LOOK_PERIOD_S)

    @staticmethod
    def _kill_group(process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)

    async def _await_ready(self, started_s: float) -> None:
        while not await self.part.is_ready():
            await asyncio.sleep(_READY_PERIOD_S)
        self.is_ready = True
        self.ready_s = time.monotonic() - started_s
        self.sink(self.part.name, f"is ready after {self.ready_s:.1f} s".encode())
        self._ready.set()

    async def _copy_lines(self, process: asyncio.subprocess.Process) -> None:
        if process.stdout is None:
            return
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # a line longer than the limit; its rest follows as lines of its own
                continue
            if not line:
                return
            self.sink(self.part.name, line.rstrip(b"\n"))


def _die_with_parent() -> None:
    """Has the kernel end the process when we are gone, however that came about, so that no stack is left without a keeper."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


async def run_to_end(name: str, command: Sequence[str], environment: Mapping[str, str], sink: Sink) -> None:
    """Runs a command that ends by itself.

    Raises:
        StackError: If it fails, with the last of what it said.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    for line in output.splitlines():
        sink(name, line)
    if process.returncode:
        said = output.decode(errors="replace").strip()[-2000:]
        raise StackError(f"{name} failed with {process.returncode}:\n{said}")


if sys.platform != "linux":
    raise StackError("The stack runs on Linux.")
