"""The stack that is disturbed: one of its own, or one that a test has started."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from praxiscope.client import Profile
from tools.devstack.settings import CHECKOUT

# Beside the stacks of `make up` (0) and of the tests (2000, 2100).
_PORT_OFFSET = 300
_READY_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 90.0


class NotReadyError(Exception):
    """A part of the stack did not come back."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A stack that is up.

    Attributes:
        url: The gateway's address.
        state: The stack's folder.
        profile: Who we are there.
    """

    url: str
    state: Path
    profile: Profile

    def parts(self) -> Mapping[str, Mapping[str, Any]]:
        """Returns what the supervisor last wrote of each part, by name."""
        written = json.loads((self.state / "state.json").read_text(encoding="utf-8"))
        return {part["name"]: part for part in written["parts"]}

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Sends a part a signal; returns how often it was started again before."""
        part = self.parts()[name]
        os.kill(part["pid"], number)
        return int(part["restart_count"])

    def await_restart(self, name: str, restart_count: int, timeout_s: float = _READY_TIMEOUT_S) -> float:
        """Waits until a part was started again and everything is ready; returns the seconds that took.

        Raises:
            NotReadyError: If that takes too long.
        """
        started_s = time.monotonic()
        while time.monotonic() - started_s < timeout_s:
            parts = self.parts()
            if parts[name]["restart_count"] > restart_count and all(part["is_ready"] for part in parts.values()):
                self.await_ready(timeout_s - (time.monotonic() - started_s))
                return time.monotonic() - started_s
            time.sleep(0.1)
        raise NotReadyError(f"{name} did not come back in {timeout_s:.0f} s: {self.parts()}")

    def await_ready(self, timeout_s: float = _READY_TIMEOUT_S) -> None:
        """Waits until the gateway says that it and all behind it are ready.

        Raises:
            NotReadyError: If that takes too long.
        """
        deadline_s = time.monotonic() + timeout_s
        while time.monotonic() < deadline_s:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise NotReadyError(f"the gateway was not ready in {timeout_s:.0f} s")


@contextmanager
def run_stack(store_kind: str = "filesystem") -> Iterator[Target]:
    """Runs a stack in a folder and on ports of its own until the end of the block.

    Raises:
        NotReadyError: If it does not start.
    """
    folder = Path(tempfile.mkdtemp(prefix="praxiscope-chaos-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
    port_offset = int(os.environ.get("PRAXISCOPE_STACK_PORT_OFFSET") or 0) + _PORT_OFFSET
    environment = {
        **os.environ,
        "PRAXISCOPE_STACK_STATE": str(folder),
        "PRAXISCOPE_STACK_PORT_OFFSET": str(port_offset),
        "PRAXISCOPE_STACK_STORE": store_kind,
        "PRAXISCOPE_STACK_PROFILE": str(folder / "home" / "profiles.toml"),
    }
    with (folder / "supervisor.log").open("wb") as log:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "tools.devstack", "run"], cwd=CHECKOUT, env=environment, stdout=log, stderr=log
        )
    is_well = False
    try:
        _await_start(supervisor, folder)
        credentials = json.loads((folder / "credentials.json").read_text(encoding="utf-8"))
        url = f"http://127.0.0.1:{7400 + port_offset}"
        target = Target(
            url=url,
            state=folder,
            profile=Profile(url=url, project=credentials["project"], api_key=credentials["api_key"]),
        )
        target.await_ready()
        yield target
        is_well = True
    finally:
        supervisor.terminate()
        supervisor.wait(_STOP_TIMEOUT_S)
        if is_well:
            shutil.rmtree(folder)
        else:
            print(f"The stack's logs are kept in {folder / 'log'}.")


def _await_start(supervisor: subprocess.Popen[bytes], folder: Path) -> None:
    deadline_s = time.monotonic() + _READY_TIMEOUT_S
    state = folder / "state.json"
    while time.monotonic() < deadline_s:
        if supervisor.poll() is not None:
            said = (folder / "supervisor.log").read_text(encoding="utf-8", errors="replace")[-4000:]
            raise NotReadyError(f"the stack ended: {said}")
        if state.exists() and all(part["is_ready"] for part in json.loads(state.read_text())["parts"]):
            return
        time.sleep(0.2)
    raise NotReadyError(f"the stack was not ready in {_READY_TIMEOUT_S:.0f} s; see {folder / 'log'}")
