"""The stack itself: a taken port is said, what dies is started again, a stack that is up is not started twice."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

import httpx

from tests.e2e.conftest import CHECKOUT, PORT_OFFSET, RunningStack


def devstack(command: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tools.devstack", command],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def part(stack: RunningStack, name: str) -> dict[str, object]:
    parts = json.loads((stack.state / "state.json").read_text())["parts"]
    return next(part for part in parts if part["name"] == name)


def test_a_taken_port_is_a_clear_error(stack: RunningStack, tmp_path: object) -> None:
    offset = PORT_OFFSET + 100
    port = 7420 + offset
    environment = {
        **os.environ,
        "PRAXISCOPE_STACK_STATE": str(tmp_path),
        "PRAXISCOPE_STACK_PORT_OFFSET": str(offset),
    }
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        result = devstack("up", environment)
    assert result.returncode == 1
    assert f"{port} (library)" in result.stderr
    assert "PRAXISCOPE_STACK_PORT_OFFSET" in result.stderr
    assert "Traceback" not in result.stderr


def test_what_dies_is_started_again(stack: RunningStack) -> None:
    before = part(stack, "tracking")
    os.kill(int(str(before["pid"])), signal.SIGKILL)
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        now = part(stack, "tracking")
        if now["pid"] != before["pid"] and now["is_ready"]:
            break
        time.sleep(0.2)
    assert part(stack, "tracking")["restart_count"] == int(str(before["restart_count"])) + 1
    for _ in range(50):
        if httpx.get(f"{stack.url}/readyz").status_code == 200:
            return
        time.sleep(0.2)
    raise AssertionError("the gateway did not see it again")


def test_a_stack_that_is_up_says_so_and_what_it_holds(stack: RunningStack) -> None:
    status = devstack("status", stack.environment)
    assert status.returncode == 0, status.stdout
    together = next(line for line in status.stdout.splitlines() if line.startswith("together"))
    assert 500 < float(together.split()[-1]) < 3000, "the whole stack holds at most 3 GB"
    again = devstack("up", stack.environment)
    assert "up already" in again.stdout
