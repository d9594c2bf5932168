"""Runs every benchmark, the stack being started where it is not up: `make bench`.

Each part prints what it measured beside its peer and ends with code 1 where a goal is missed; so does the whole.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from tools.devstack.settings import CHECKOUT, read_settings
from tools.devstack.status import read_state

# Name, command, and whether it wants the stack.
PARTS: tuple[tuple[str, tuple[str, ...], bool], ...] = (
    ("motion: the stack and a script in turns", ("-m", "bench.motion"), True),
    ("shares: what the processor does during an analysis", ("-m", "bench.motion.shares"), True),
    ("latency: calls, jobs, bytes, streams", ("-m", "bench.latency"), True),
    ("memory: long videos, two at once", ("-m", "bench.memory"), True),
    ("overlay", ("bench/overlay.py",), False),
    ("worlds-files: formats written and read", ("-m", "bench.worlds_files"), False),
    ("poses: where photos were taken from", ("-m", "bench.poses"), False),
    ("tracking: quality and speed beside peers", ("-m", "bench.tracking"), False),
    ("console: until a world can be flown through", ("-m", "bench.console"), True),
    ("worlds: drawing, gradients, training", ("-m", "bench.worlds"), False),
    ("editing: edits of 100,000 Gaussians", ("-m", "bench.editing"), True),
)


def main(arguments: Sequence[str]) -> int:
    """Runs the parts whose name contains the argument, or all."""
    wanted = arguments[0] if arguments else ""
    parts = [part for part in PARTS if wanted in part[0]]
    was_up = read_state(read_settings(os.environ)).is_alive
    needs_stack = any(has_stack for _, _, has_stack in parts)
    if needs_stack and not was_up:
        _run(("-m", "tools.devstack", "up"))
    try:
        codes = []
        for name, command, _ in parts:
            print(f"\n== {name}", flush=True)
            codes.append(_run(command))
    finally:
        if needs_stack and not was_up:
            _run(("-m", "tools.devstack", "down"))
    return 1 if any(codes) else 0


def _run(command: Sequence[str]) -> int:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run([sys.executable, *command], check=False, cwd=CHECKOUT, env=environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
