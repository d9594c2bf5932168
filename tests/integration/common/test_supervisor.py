"""The stack's supervisor: what dies is started again at once, whatever it left behind."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from tests.support.operations import eventually
from tools.devstack.process import Part, RunningPart
from tools.devstack.settings import inherited_environment


async def _always() -> bool:
    return True


async def _never() -> bool:
    return False


async def test_a_process_whose_children_outlive_it_is_started_again_and_they_are_not_kept(tmp_path: Path) -> None:
    children = tmp_path / "children"
    part = Part(
        name="parent",
        # The child holds the pipe to the supervisor, as the model server's interpreters do.
        command=["/bin/sh", "-c", f"sleep 600 & echo $! >> {children}; exec sleep 600"],
        environment=inherited_environment(),
        is_ready=_always,
        stop_timeout_s=2,
    )
    running = RunningPart(part=part, sink=lambda name, line: None)
    await running.start()
    try:
        await eventually(_count(children, 1), "the first child", 10)
        assert running.process is not None
        os.kill(running.process.pid, signal.SIGKILL)
        await eventually(_count(children, 2), "the second start", 10)
        first = int(children.read_text().split()[0])
        await eventually(_is_gone(first), "the first child's end", 5)
    finally:
        await running.stop()


async def test_a_stop_in_the_middle_of_a_start_ends_it(tmp_path: Path) -> None:
    for turns in range(12):
        children = tmp_path / f"children-{turns}"
        part = Part(
            name="parent",
            command=["/bin/sh", "-c", f"sleep 600 & echo $! $$ > {children}; exec sleep 600"],
            environment=inherited_environment(),
            is_ready=_never,
            stop_timeout_s=2,
        )
        running = RunningPart(part=part, sink=lambda name, line: None)
        starting = asyncio.create_task(running.start())
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.wait_for(running.stop(), 10)
        starting.cancel()
        await asyncio.wait([starting])
        for pid in children.read_text().split() if children.exists() else []:
            await eventually(_is_gone(int(pid)), "the end of what was started", 5)


def _count(path: Path, count: int):
    async def look() -> bool:
        return path.exists() and len(path.read_text().split()) >= count

    return look


def _is_gone(pid: int):
    async def look() -> bool:
        try:
            return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return True

    return look
