"""What runs, since when, and how much memory it holds."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.devstack.code import fingerprint
from tools.devstack.settings import CHECKOUT, Settings
from tools.devstack.stack import Stack

_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class State:
    """What the supervisor last wrote.

    Attributes:
        supervisor_pid: The supervisor; 0 where there is none.
        parts: Name, pid, readiness and restarts of each part.
        code: Fingerprint of the code that it was started with.
    """

    supervisor_pid: int
    parts: tuple[dict[str, Any], ...]
    code: str

    @property
    def is_alive(self) -> bool:
        """Whether the supervisor runs."""
        return self.supervisor_pid > 0 and Path(f"/proc/{self.supervisor_pid}").exists()

    @property
    def is_ready(self) -> bool:
        """Whether every part is ready."""
        return self.is_alive and bool(self.parts) and all(part["is_ready"] for part in self.parts)

    @property
    def complaint(self) -> str:
        """What is wrong with a stack that runs; empty where nothing is."""
        if self.is_alive and self.code != fingerprint(CHECKOUT):
            return "The stack runs other code than lies here now: `make down && make up`."
        return ""


def write_state(settings: Settings, stack: Stack, *, code: str) -> None:
    """Writes what runs, for the other commands to read."""
    parts = [
        {
            "name": running.part.name,
            "pid": running.process.pid if running.process else 0,
            "is_ready": running.is_ready,
            "restart_count": running.restart_count,
            "ready_s": round(running.ready_s, 2),
        }
        for running in stack.running
    ]
    temporary = settings.state / "state.json.new"
    temporary.write_text(json.dumps({"supervisor_pid": os.getpid(), "parts": parts, "code": code}), encoding="utf-8")
    temporary.replace(settings.state / "state.json")


def read_state(settings: Settings) -> State:
    """Returns what runs."""
    try:
        written = json.loads((settings.state / "state.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return State(supervisor_pid=0, parts=(), code="")
    return State(
        supervisor_pid=written["supervisor_pid"], parts=tuple(written["parts"]), code=str(written.get("code", ""))
    )


def print_status(settings: Settings) -> int:
    """Prints a table of the parts; the exit code says whether all are ready."""
    state = read_state(settings)
    if not state.is_alive:
        sys.stdout.write("The stack is not up; `make up` starts it.\n")
        return 1
    total_bytes = 0
    sys.stdout.write(f"{'part':22}{'pid':>8}{'ready':>7}{'restarts':>10}{'start s':>9}{'MiB':>7}\n")
    for part in state.parts:
        resident_bytes = resident_bytes_of(part["pid"])
        total_bytes += resident_bytes
        ready = "yes" if part["is_ready"] else "no"
        sys.stdout.write(
            f"{part['name']:22}{part['pid']:>8}{ready:>7}{part['restart_count']:>10}{part['ready_s']:>9.1f}{resident_bytes / _MIB:>7.0f}\n"
        )
    sys.stdout.write(f"{'together':54}{total_bytes / _MIB:>9.0f}\n")
    sys.stdout.write(
        f"Open http://{settings.address('gateway')}/ (/docs is the API), or type: .venv/bin/praxiscope --help\n"
    )
    if state.complaint:
        sys.stdout.write(f"{state.complaint}\n")
    return 0 if state.is_ready else 1


def resident_bytes_of(pid: int) -> int:
    """Returns the proportional memory of a process and its children; 0 where it is gone."""
    total = 0
    for process in (pid, *_descendants(pid)):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    frontier = [pid]
    while frontier:
        parent = frontier.pop()
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                children = [int(child) for child in task.read_text(encoding="ascii").split()]
            except OSError:
                continue
            found += children
            frontier += children
    return found
