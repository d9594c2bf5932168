"""`make test`: everything a contributor must pass, one step after another, each with its time; stops at the first that fails."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tools.devstack.settings import CHECKOUT

_BIN = CHECKOUT / ".venv" / "bin"
_PYTEST = (str(_BIN / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider")
_COUNTS = re.compile(r"(\d+) (passed|failed|skipped|error)")


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing to pass.

    Attributes:
        name: Its name.
        command: What is run.
        folder: Where it is run, below the checkout.
    """

    name: str
    command: Sequence[str]
    folder: str = "."


_CODE = ("libs", "services", "sdk", "models", "tools", "tests", "bench", "chaos", "fuzz")
STEPS = (
    Step(name="style", command=(str(_BIN / "ruff"), "check", *_CODE)),
    Step(name="format", command=(str(_BIN / "ruff"), "format", "--check", "-q", *_CODE)),
    Step(name="types", command=(str(_BIN / "pyright"),)),
    Step(name="imports", command=(str(_BIN / "lint-imports"), "--no-cache")),
    Step(name="contracts", command=("bash", "tools/contracts/check.sh")),
    Step(name="gateway", command=("go", "vet", "./..."), folder="services/gateway"),
    Step(name="gateway tests", command=("go", "test", "./..."), folder="services/gateway"),
    Step(name="console", command=("npm", "run", "--silent", "check"), folder="console"),
    Step(name="unit", command=(*_PYTEST, "-n", "2", "tests/unit", "tests/golden")),
    Step(name="contract", command=(*_PYTEST, "-n", "2", "tests/contract")),
    Step(name="deploy tools", command=(sys.executable, "-m", "tools.setup", "deploy")),
    Step(name="deploy", command=(*_PYTEST, "-n", "2", "tests/deploy")),
    Step(name="integration", command=(*_PYTEST, "-n", "2", "tests/integration")),
    Step(name="end to end", command=(*_PYTEST, "tests/e2e")),
)


def main(arguments: Sequence[str]) -> int:
    """Runs the steps and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.check", description=__doc__)
    parser.add_argument("--only", action="append", default=[], choices=[step.name for step in STEPS])
    wanted = parser.parse_args(arguments).only
    times: list[tuple[str, float]] = []
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    started_s = time.monotonic()
    for step in STEPS:
        if wanted and step.name not in wanted:
            continue
        sys.stdout.write(f"\n== {step.name}\n")
        sys.stdout.flush()
        step_started_s = time.monotonic()
        code, output = _run(step)
        times.append((step.name, time.monotonic() - step_started_s))
        for count, word in _COUNTS.findall(output.splitlines()[-1] if output.strip() else ""):
            counts["failed" if word == "error" else word] += int(count)
        if code:
            counts["failed"] = max(1, counts["failed"])
            sys.stdout.write(f"\n{step.name} failed.\n{_totals(counts)}\n")
            return 1
    sys.stdout.write("\n" + "\n".join(f"{name:16} {elapsed_s:7.1f} s" for name, elapsed_s in times))
    sys.stdout.write(f"\n{'together':16} {time.monotonic() - started_s:7.1f} s\n{_totals(counts)}\n")
    return 0


def _run(step: Step) -> tuple[int, str]:
    environment = {
        **os.environ,
        "GOTOOLCHAIN": "local",
        "PATH": ":".join([_folder_of("go"), _folder_of("node"), str(_BIN), os.environ["PATH"]]),
    }
    process = subprocess.Popen(
        step.command,
        cwd=CHECKOUT / step.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines: list[str] = []
    for line in process.stdout or ():
        sys.stdout.write(line)
        sys.stdout.flush()
        lines.append(line)
    return process.wait(), "".join(lines)


def _folder_of(tool: str) -> str:
    """Returns where set-up found or put Go or Node."""
    marker = CHECKOUT / ".praxiscope" / "setup" / f"{tool}-folder"
    return marker.read_text(encoding="utf-8") if marker.exists() else ""


def _totals(counts: dict[str, int]) -> str:
    return f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
