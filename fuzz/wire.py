"""Shoots at a running stack with many cases at once, and watches what the stack holds in memory and writes to disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from fuzz import analyses, grpc_calls, http_calls, sockets, uploads
from fuzz.grpc_calls import CallTooLongError, ForbiddenOutcomeError
from fuzz.openapi import shoot_by_document
from fuzz.tally import CRASH, GROWTH, HANG, INTERNAL, Tally, random_for
from fuzz.target import Target
from praxiscope_common.client import open_channel

Shot = Callable[[Random], Awaitable[str]]
ENTRIES = ("grpc", "http", "uploads", "analyses", "sockets", "slow", "openapi")
_AT_ONCE = {"grpc": 12, "http": 12, "uploads": 6, "analyses": 4, "sockets": 64, "slow": 400}
_CHANNEL_COUNT = 3
_SAMPLE_PERIOD_S = 0.5
# What the services may hold more at their peak than before the first case, all together.
MEMORY_GROWTH_LIMIT_BYTES = 2 << 30
# What they may write: rows, logs, the parts of uploads that were not completed.
DISK_GROWTH_LIMIT_BYTES = 2 << 30
_BAD_LINE = re.compile(
    r'"unexpected error"|"panic"|Traceback|fatal error:|"severity":\s*"CRITICAL"|SIGSEGV|core dumped'
)


@dataclass(kw_only=True)
class StackWatch:
    """What the stack's processes hold and write, and whether they are the same ones as before.

    Attributes:
        state: The stack's folder.
    """

    state: Path
    base_bytes: int = 0
    peak_bytes: int = 0
    base_disk_bytes: int = 0
    pids: Mapping[str, int] = field(default_factory=dict)
    _log_sizes: dict[str, int] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)

    def begin(self) -> None:
        """Remembers how things are."""
        self.pids = self._pids()
        self.base_bytes = self.peak_bytes = self.held_bytes()
        self.base_disk_bytes = self.disk_bytes()
        self._log_sizes = {path.name: path.stat().st_size for path in self._logs()}

    @contextlib.contextmanager
    def sampling(self) -> Iterator[None]:
        """Looks at the memory until the end of the block."""
        self._stop.clear()

        def follow() -> None:
            while not self._stop.wait(_SAMPLE_PERIOD_S):
                self.peak_bytes = max(self.peak_bytes, self.held_bytes())

        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def held_bytes(self) -> int:
        """Returns the resident memory of all parts and their children."""
        wanted = set(self.pids.values())
        return sum(_resident_bytes(pid) for pid in _with_children(wanted))

    def disk_bytes(self) -> int:
        """Returns what the stack's folder holds."""
        total = 0
        for folder, _, files in os.walk(self.state):
            for name in files:
                with contextlib.suppress(OSError):
                    total += os.lstat(os.path.join(folder, name)).st_size
        return total

    def dead(self) -> Sequence[str]:
        """Returns the parts that are not the process any more that they were."""
        now = self._pids()
        return [name for name, pid in self.pids.items() if now.get(name) != pid]

    def bad_lines(self) -> Sequence[str]:
        """Returns what was logged since the beginning and must not be."""
        found: list[str] = []
        for path in self._logs():
            with path.open("rb") as file:
                file.seek(self._log_sizes.get(path.name, 0))
                found += [
                    f"{path.name}: {line[:1500]}"
                    for line in file.read().decode("utf-8", "replace").splitlines()
                    if _BAD_LINE.search(line)
                ]
        return found

    def _logs(self) -> Sequence[Path]:
        return sorted(path for path in (self.state / "log").glob("*.log") if path.name != "all.log")

    def _pids(self) -> Mapping[str, int]:
        parts = json.loads((self.state / "state.json").read_text(encoding="utf-8"))["parts"]
        return {part["name"]: part["pid"] for part in parts}


async def shoot(entry: str, seed: int, case_count: int, target: Target, watch: StackWatch) -> Tally:
    """Runs an entry's cases and returns what came of them."""
    started_s = time.monotonic()
    with watch.sampling():
        if entry == "openapi":  # in its own order and pace
            tally = await asyncio.to_thread(shoot_by_document, target, seed, case_count)
        else:
            tally = Tally(entry=entry)
            async with _shot(entry, target) as shot:
                indices = iter(range(case_count))
                workers = [_work(entry, seed, indices, shot, tally) for _ in range(min(case_count, _AT_ONCE[entry]))]
                await asyncio.gather(*workers, *([_stay_awake(target, tally)] if entry == "slow" else []))
    for name in watch.dead():
        tally.find(CRASH, -1, f"{name} is not the process any more that it was")
    try:
        await sockets.is_answering(target)
    except ForbiddenOutcomeError as error:
        tally.find(CRASH, -1, str(error))
    tally.elapsed_s = time.monotonic() - started_s
    tally.peak_bytes = watch.peak_bytes
    return tally


def close_watch(watch: StackWatch) -> Tally:
    """Returns what the whole run left behind, as a line of its own."""
    tally = Tally(entry="the stack after it", peak_bytes=watch.peak_bytes)
    grown, written = watch.peak_bytes - watch.base_bytes, watch.disk_bytes() - watch.base_disk_bytes
    tally.outcomes[
        f"memory before {watch.base_bytes >> 20} MiB, at its peak +{grown >> 20} MiB, now {watch.held_bytes() >> 20} MiB; disk +{written >> 20} MiB; log"
    ] = len(watch.bad_lines())
    for line in watch.bad_lines():
        tally.find(INTERNAL, -1, line)
    if grown > MEMORY_GROWTH_LIMIT_BYTES:
        tally.find(GROWTH, -1, f"{grown >> 20} MiB of memory")
    if written > DISK_GROWTH_LIMIT_BYTES:
        tally.find(GROWTH, -1, f"{written >> 20} MiB on disk")
    return tally


async def _work(entry: str, seed: int, indices: Iterator[int], shot: Shot, tally: Tally) -> None:
    for index in indices:
        started_s = time.monotonic()
        outcome = ""
        try:
            outcome = await shot(random_for(seed, entry, index))
        except CallTooLongError as error:
            tally.find(HANG, index, str(error)[:900])
        except ForbiddenOutcomeError as error:
            tally.find(INTERNAL, index, str(error)[:900])
        except OSError as error:
            tally.find(CRASH, index, f"{type(error).__name__}: {error}")
        tally.note(index, outcome or "FOUND", time.monotonic() - started_s)


async def _stay_awake(target: Target, tally: Tally) -> None:
    """While many are slow, others are answered."""
    for _ in range(12):
        await asyncio.sleep(2.0)
        try:
            elapsed_s = await sockets.is_answering(target)
        except ForbiddenOutcomeError as error:
            tally.find(HANG, -1, f"while others were slow: {error}")
            return
        if elapsed_s > 5.0:
            tally.find(HANG, -1, f"while others were slow an answer took {elapsed_s:.1f} s")


@contextlib.asynccontextmanager
async def _shot(entry: str, target: Target) -> AsyncIterator[Shot]:
    match entry:
        case "grpc":
            channels = [open_channel(f"{target.host}:{target.port}") for _ in range(_CHANNEL_COUNT)]
            try:
                yield lambda random: grpc_calls.call_method(random, {"": random.choice(channels)}, target)
            finally:
                await asyncio.gather(*(channel.close() for channel in channels))
        case "http":
            yield lambda random: http_calls.send_request(random, target)
        case "uploads":
            yield lambda random: uploads.upload(random, target)
        case "analyses":
            yield lambda random: analyses.analyse(random, target)
        case "sockets":
            yield lambda random: sockets.send_odd_bytes(random, target)
        case _:
            yield lambda random: sockets.be_slow(random, target)


def _with_children(pids: set[int]) -> set[int]:
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError):
                stat = Path(f"/proc/{entry}/stat").read_text(encoding="utf-8", errors="replace")
                parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    found = set(pids)
    while True:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        if not more:
            return found
        found |= more


def _resident_bytes(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
