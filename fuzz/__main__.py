"""`make fuzz`: hostile input for every public entry; prints what came of it and fails on anything that must not happen."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fuzz import pure, wire
from fuzz.isolation import run_isolated
from fuzz.limits import RAISED_LIMITS
from fuzz.tally import Tally, table
from fuzz.target import prepare
from tools.devstack.settings import CHECKOUT

# Of every 100 cases; plain code takes thousands a second, what goes through the wire some hundreds.
_SHARES = {
    **{
        "video": 14,
        "sound": 5,
        "picture": 9,
        "motchallenge": 9,
        "tracker state": 5,
        "motion file": 4,
        "names and filters": 9,
        "tokens": 5,
    },
    **{"grpc": 18, "http": 14.5, "openapi": 0.5, "uploads": 2, "analyses": 0.3, "sockets": 4.3, "slow": 0.4},
}
_READY_LIMIT_S = 240.0


def main(arguments: Sequence[str]) -> int:
    """Runs and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--only", action="append", default=[], choices=[*pure.ENTRIES, *wire.ENTRIES])
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the stack ends with us
    wanted = given.only or list(_SHARES)
    whole = sum(_SHARES[name] for name in wanted)
    counts = {name: max(1, round(given.cases * _SHARES[name] / whole)) for name in wanted}
    tallies: list[Tally] = []
    for name in pure.ENTRIES:
        if name in counts:
            tallies.append(run_isolated(name, given.seed, counts[name]))
            _tell(tallies[-1])
    if any(name in counts for name in wire.ENTRIES):
        with _stack() as (url, state):
            credentials = json.loads((state / "credentials.json").read_text(encoding="utf-8"))
            tallies += asyncio.run(_shoot_all(url, state, credentials, given.seed, counts))
    sys.stdout.write(f"\nseed {given.seed}\n{table(tallies)}\n")
    return 1 if any(tally.finding_counts.total() for tally in tallies) else 0


async def _shoot_all(
    url: str, state: Path, credentials: dict[str, str], seed: int, counts: dict[str, int]
) -> list[Tally]:
    watch = wire.StackWatch(state=state)
    watch.begin()
    tallies: list[Tally] = []
    for name in wire.ENTRIES:
        if name in counts:
            target = await asyncio.to_thread(prepare, url, credentials)  # the entry before has deleted what it could
            tallies.append(await wire.shoot(name, seed, counts[name], target, watch))
            _tell(tallies[-1])
    await asyncio.sleep(5.0)  # work that was started comes to its end
    return [*tallies, wire.close_watch(watch)]


def _tell(tally: Tally) -> None:
    """Writes an entry's line, and what was found, as soon as it is over."""
    _, line, _, *found = table([tally]).split("\n")
    sys.stdout.write("\n".join([line, *found]) + "\n")
    sys.stdout.flush()


@contextlib.contextmanager
def _stack() -> Iterator[tuple[str, Path]]:
    """Runs a stack of its own until the end of the block; yields its address and its folder."""
    folder = Path(tempfile.mkdtemp(prefix="praxiscope-fuzz-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user where we are root
    offset = int(os.environ.get("PRAXISCOPE_STACK_PORT_OFFSET") or 600)
    environment = {
        **os.environ,
        "PRAXISCOPE_STACK_STATE": str(folder),
        "PRAXISCOPE_STACK_PORT_OFFSET": str(offset),
        "PRAXISCOPE_STACK_PROFILE": str(folder / "home" / "profiles.toml"),
        **RAISED_LIMITS,
    }
    log = (folder / "supervisor.log").open("wb")
    started = subprocess.Popen(
        [sys.executable, "-m", "tools.devstack", "run"],
        cwd=CHECKOUT,
        env=environment,
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    try:
        _await_ready(started, folder)
        yield f"http://127.0.0.1:{7400 + offset}", folder
    finally:
        started.terminate()
        started.wait(timeout=120)
        log.close()
        kept = os.environ.get("FUZZ_KEEP_LOGS")
        if kept:
            shutil.copytree(folder / "log", kept, dirs_exist_ok=True)
        shutil.rmtree(folder, ignore_errors=True)


def _await_ready(started: subprocess.Popen[bytes], folder: Path) -> None:
    deadline_s = time.monotonic() + _READY_LIMIT_S
    while time.monotonic() < deadline_s:
        if started.poll() is not None:
            break
        with contextlib.suppress(FileNotFoundError, ValueError):
            if all(
                part["is_ready"] for part in json.loads((folder / "state.json").read_text(encoding="utf-8"))["parts"]
            ):
                return
        time.sleep(0.3)
    raise SystemExit(
        f"the stack is not ready:\n{(folder / 'supervisor.log').read_text(encoding='utf-8', errors='replace')[-4000:]}"
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
