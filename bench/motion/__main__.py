"""Analyses the sample video with the whole stack and with one script around the same nets, in turns. `make bench`.

    python -m bench.motion [--rounds 5]

Prints medians of frames per second from the request to stored angles, with the overlay, and for both presets; the
ratio to the script; and where the processor time goes, by process of the stack and by stage of the script. The stack
must be up; the script runs in an environment of its own (.venv-bench, requirements/bench.txt).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.stack import processor_s_by_part
from praxiscope.client import Client, read_profile
from tools.devstack.settings import CHECKOUT, read_settings
from tools.devstack.status import read_state

SAMPLE = CHECKOUT / ".praxiscope" / "samples" / "demo.mp4"
MODELS = CHECKOUT / ".praxiscope" / "models"
SCRIPT = CHECKOUT / "bench" / "motion" / "peer_script.py"


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is compared.

    Attributes:
        name: For the table.
        preset: Of the analysis.
        has_overlay: Whether the overlay is drawn.
        script_options: The same for the script.
        goal: Ratio to the script that is wanted.
    """

    name: str
    preset: str
    has_overlay: bool
    script_options: tuple[str, ...]
    goal: float


CASES = (
    Case(name="to stored angles", preset="PRESET_ACCURATE", has_overlay=False, script_options=(), goal=0.95),
    Case(name="with the overlay", preset="PRESET_ACCURATE", has_overlay=True, script_options=("--overlay",), goal=0.87),
    Case(
        name="fast preset, 720p overlay",
        preset="PRESET_FAST",
        has_overlay=True,
        script_options=("--search-interval", "2", "--height-px", "720", "--overlay"),
        goal=0.87,
    ),
)


def run_script(python: Path, options: Sequence[str]) -> dict[str, object]:
    """Runs the script once and returns what it printed."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(python), str(SCRIPT), str(SAMPLE), str(MODELS), "--angles", f"{folder}/angles.csv"]
        for option in options:
            command += [option, f"{folder}/overlay.mp4"] if option == "--overlay" else [option]
        output = subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, "SVT_LOG": "1"}
        ).stdout
    return dict(json.loads(output.splitlines()[-1]))


def analyse(client: Client, asset_version: str, case: Case) -> tuple[float, int]:
    """Analyses the sample with the stack; returns frames per second and the frame count."""
    started_s = time.perf_counter()
    operation = client.analyze_motion(asset_version, preset=case.preset, omit_overlay=not case.has_overlay)
    response = client.wait(operation)
    elapsed_s = time.perf_counter() - started_s
    return response.motion.frame_count / elapsed_s, response.motion.frame_count


def compare(client: Client, asset_version: str, python: Path, case: Case, round_count: int) -> float:
    """Prints one case; returns the ratio."""
    ours: list[float] = []
    theirs: list[float] = []
    before, frame_count = processor_s_by_part(), 0
    stages: dict[str, float] = {}
    cpu_ms: list[float] = []
    for _ in range(round_count):
        result = run_script(python, case.script_options)
        theirs.append(float(str(result["frames_per_s"])))
        cpu_ms.append(float(str(result["cpu_ms_per_frame"])))
        stages = dict(result["cpu_ms_by_stage"])  # type: ignore[call-overload]
        rate, count = analyse(client, asset_version, case)
        ours.append(rate)
        frame_count += count
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(f"\n{case.name} ({round_count} rounds in turns)")
    print(f"  stack   {statistics.median(ours):5.1f} frames/s   {_range(ours)}")
    print(f"  script  {statistics.median(theirs):5.1f} frames/s   {_range(theirs)}")
    print(f"  ratio   {ratio:5.2f}   goal {case.goal:.2f}   {'ok' if ratio >= case.goal else 'MISS'}")
    after = processor_s_by_part()
    spent = {name: 1e3 * (after[name] - before.get(name, 0.0)) / frame_count for name in after}
    print(f"  processor, ms a frame: stack {sum(spent.values()):.1f}; script {statistics.median(cpu_ms):.1f}")
    print("    stack:  " + ", ".join(f"{name} {value:.1f}" for name, value in _sorted(spent) if value >= 0.1))
    print("    script: " + ", ".join(f"{name} {value:.1f}" for name, value in _sorted(stages)))
    return ratio


def _range(rates: Sequence[float]) -> str:
    return f"({min(rates):.1f} to {max(rates):.1f})"


def _sorted(values: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(values.items(), key=lambda item: -item[1])


def main(arguments: Sequence[str]) -> int:
    """Prints all cases; ends with code 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.motion", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args(arguments)
    if not read_state(read_settings(os.environ)).is_alive:
        sys.stderr.write("The stack is not up: `make up`.\n")
        return 2
    python = CHECKOUT / ".venv-bench" / "bin" / "python"
    if not python.exists():
        sys.stderr.write("The script's environment is missing: `python3 -m tools.setup bench`.\n")
        return 2
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    print(f"machine: {os.cpu_count()} cores, no GPU; commit {commit.stdout.strip()}")
    with Client(read_profile(folder=CHECKOUT)) as client:
        version = client.upload(SAMPLE).latest_version
        analyse(client, version, CASES[0])  # once for nothing, so that nobody pays for a cold start
        ratios = [compare(client, version, python, case, options.rounds) for case in CASES]
    return 0 if all(ratio >= case.goal for ratio, case in zip(ratios, CASES, strict=True)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
