"""`make chaos`: kills, jobs and faults; prints what it found, and ends with 1 where a goal is missed.

python -m chaos [kills] [drains] [jobs] [faults] [--seed N] [--rounds N] [--jobs N] [--store filesystem|s3]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos.clip import write_clip
from chaos.jobs import run_jobs
from chaos.kills import run_kills
from chaos.stack import run_stack
from tests.support.postgres import run_postgres
from tools.devstack.settings import CHECKOUT

_CLIP_S = 3.0
_WORKERS = 3
_KILL_EVERY_S = 3.0
_JOBS_TIMEOUT_S = 1800.0


def main(arguments: Sequence[str]) -> int:
    """Runs what was asked for and returns the exit code."""
    parts: dict[str, Callable[[argparse.Namespace], Sequence[str]]] = {
        "kills": _kills,
        "drains": _drains,
        "jobs": _jobs,
        "faults": _faults,
    }
    environ = os.environ
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"of {', '.join(parts)}; all by default")
    parser.add_argument("--seed", type=int, default=int(environ.get("SEED") or secrets.randbits(32)))
    parser.add_argument("--rounds", type=int, default=int(environ.get("ROUNDS") or 50))
    parser.add_argument("--jobs", type=int, default=int(environ.get("JOBS") or 10_000))
    parser.add_argument("--store", default=environ.get("PRAXISCOPE_STACK_STORE") or "filesystem")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(parts):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    _say(f"machine: {platform.machine()}, {os.cpu_count()} cores; commit {_commit()}; SEED={options.seed}")
    missed: list[str] = []
    for name in options.parts or parts:
        started_s = time.monotonic()
        _say(f"\n== {name}")
        problems = parts[name](options)
        _say(f"{name}: {len(problems)} problems, {time.monotonic() - started_s:.0f} s")
        missed += [f"{name}: {problem}" for problem in problems]
    _say("\n" + ("\n".join(missed) if missed else "Every goal was met."))
    return 1 if missed else 0


def _kills(options: argparse.Namespace) -> Sequence[str]:
    """Kills one process at a random moment of an analysis of three seconds."""
    return _disturb(options, rounds=options.rounds, number=signal.SIGKILL)


def _drains(options: argparse.Namespace) -> Sequence[str]:
    """Has each part end in order, once, while an analysis runs: nobody may see a call that was lost."""
    return _disturb(options, rounds=min(13, options.rounds), number=signal.SIGTERM)


def _disturb(options: argparse.Namespace, *, rounds: int, number: signal.Signals) -> Sequence[str]:
    with tempfile.TemporaryDirectory(prefix="praxiscope-chaos-") as folder:
        clip = write_clip(Path(folder) / "clip.mp4", _CLIP_S)
        with run_stack(options.store) as target:
            done = run_kills(target, clip, rounds=rounds, seed=options.seed, tell=_say, number=number)
    elapsed_s = sorted(each.elapsed_s for each in done)
    well = sum(not each.problems for each in done)
    _say(
        f"{well} of {len(done)} rounds well; an analysis took {elapsed_s[len(elapsed_s) // 2]:.1f} s (median),"
        f" {elapsed_s[-1]:.1f} s at most"
    )
    return [f"round {each.number} ({each.victim}): {problem}" for each in done for problem in each.problems]


def _jobs(options: argparse.Namespace) -> Sequence[str]:
    """Has many small jobs done while a worker is killed every few seconds."""
    with run_postgres() as postgres, postgres.database() as database:
        report = asyncio.run(
            run_jobs(
                postgres.config("tracking", database),
                postgres.superuser(database),
                jobs=options.jobs,
                workers=_WORKERS,
                kill_every_s=_KILL_EVERY_S,
                seed=options.seed,
                timeout_s=_JOBS_TIMEOUT_S,
                tell=_say,
            )
        )
    _say(str(report))
    return report.problems


def _faults(options: argparse.Namespace) -> Sequence[str]:
    """Has disks, stores, connections and clocks fail; they are tests of `make test`, run here for their names and times."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", "--no-header", "-m", "fault", "tests"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [
        line
        for line in ended.stdout.splitlines()
        if line.startswith(("PASSED tests", "FAILED tests", "ERROR tests", "SKIPPED ["))
    ]
    _say("\n".join(line.replace("tests/integration/", "") for line in lines))
    return [] if ended.returncode == 0 else [ended.stdout[-2000:]]


def _commit() -> str:
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    return answer.stdout.strip()


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
