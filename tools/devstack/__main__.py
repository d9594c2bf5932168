"""`python -m tools.devstack {up,run,down,status,logs}`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tools.devstack.code import fingerprint
from tools.devstack.log import StackLog, coloured
from tools.devstack.profile import write_profile
from tools.devstack.settings import CHECKOUT, Settings, StackError, read_settings
from tools.devstack.stack import CREDENTIALS, Stack
from tools.devstack.status import print_status, read_state, write_state

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 90.0


def main() -> int:
    """Runs one command and returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.devstack", description=__doc__)
    parser.add_argument("command", choices=["up", "run", "down", "status", "logs"])
    arguments = parser.parse_args()
    try:
        settings = read_settings(os.environ)
        return {"up": _up, "run": _run, "down": _down, "status": print_status, "logs": _logs}[arguments.command](
            settings
        )
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _up(settings: Settings) -> int:
    """Starts the stack in the background and returns when it is ready."""
    if read_state(settings).is_alive:
        sys.stdout.write("The stack is up already.\n")
        return print_status(settings)
    started_s = time.monotonic()
    (settings.state / "state.json").unlink(missing_ok=True)
    settings.state.mkdir(parents=True, exist_ok=True)
    with (settings.state / "supervisor.log").open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tools.devstack", "run"],
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while time.monotonic() - started_s < _START_TIMEOUT_S:
        if supervisor.poll() is not None:
            sys.stderr.write((settings.state / "supervisor.log").read_text(encoding="utf-8", errors="replace")[-4000:])
            return 1
        state = read_state(settings)
        if state.is_ready:
            sys.stdout.write(f"The stack is ready after {time.monotonic() - started_s:.1f} s.\n")
            return print_status(settings)
        time.sleep(0.1)
    raise StackError(
        f"The stack was not ready after {_START_TIMEOUT_S:.0f} s; `make logs` says why, `make down` ends it."
    )


def _run(settings: Settings) -> int:
    """Runs the stack in the foreground until SIGINT or SIGTERM."""
    if read_state(settings).is_alive:
        raise StackError("The stack is up already; `make down` ends it.")
    return asyncio.run(_run_until_stopped(settings))


async def _run_until_stopped(settings: Settings) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    log = StackLog(settings.state / "log", sys.stdout if sys.stdout.isatty() else None)
    stack, code = Stack(settings, log), fingerprint(CHECKOUT)
    started_s = time.monotonic()
    try:
        starting = asyncio.create_task(stack.start())
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            return 1
        if error := starting.exception():
            return _say_why(error)
        credentials = json.loads((settings.state / CREDENTIALS).read_text(encoding="utf-8"))
        write_profile(settings, credentials)
        log(
            "stack",
            f"ready after {time.monotonic() - started_s:.1f} s at http://{settings.address('gateway')}".encode(),
        )
        while not stop.is_set():
            write_state(settings, stack, code=code)
            try:
                await asyncio.wait_for(stop.wait(), 0.5)
            except TimeoutError:
                continue
    finally:
        await stack.stop()
        (settings.state / "state.json").unlink(missing_ok=True)
        log.close()
    return 0


def _say_why(error: BaseException) -> int:
    """Says why the stack did not start; parts start side by side and fail together, so there may be several reasons."""
    if isinstance(error, BaseExceptionGroup):
        return max(_say_why(inner) for inner in error.exceptions)
    if not isinstance(error, StackError | asyncio.CancelledError):
        raise error
    sys.stderr.write(f"{error}\n")
    return 1


def _down(settings: Settings) -> int:
    """Ends the stack that runs in the background."""
    state = read_state(settings)
    if not state.is_alive:
        sys.stdout.write("The stack is not up.\n")
        return 0
    os.kill(state.supervisor_pid, signal.SIGTERM)
    deadline_s = time.monotonic() + _STOP_TIMEOUT_S
    while time.monotonic() < deadline_s:
        if not read_state(settings).is_alive:
            sys.stdout.write("The stack is down.\n")
            return 0
        time.sleep(0.1)
    raise StackError(
        f"The stack did not end in {_STOP_TIMEOUT_S:.0f} s; its supervisor is process {state.supervisor_pid}."
    )


def _logs(settings: Settings) -> int:
    """Follows the log of all parts."""
    path = settings.state / "log" / "all.log"
    if not path.exists():
        raise StackError("There is no log yet; `make up` starts the stack.")
    try:
        _follow(path)
    except KeyboardInterrupt:
        return 0
    return 0


def _follow(path: Path) -> None:
    with path.open(encoding="utf-8", errors="replace") as file:
        while True:
            line = file.readline()
            if not line:
                time.sleep(0.2)
                continue
            name, _, text = line.rstrip("\n").partition(" ")
            sys.stdout.write(coloured(name, text.strip()) + "\n")


if __name__ == "__main__":
    raise SystemExit(main())
