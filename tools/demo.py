"""`make demo`: the whole platform on this machine, a real video in, measured motion out.

Starts the stack unless it is up, uploads the sample video through the HTTP gateway with an API key, analyses it, writes `out/demo`, says what came out, and
stops what it started.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from praxiscope.client import Client, PraxiscopeError, Progress, read_profile
from praxiscope.command._show import Screen
from tools.devstack.settings import CHECKOUT, read_settings
from tools.devstack.status import read_state, resident_bytes_of

SAMPLE = CHECKOUT / ".praxiscope" / "samples" / "demo.mp4"
# The height that the sample's own package gives for its first person (sports2d 0.8.34, Demo/Config_demo.toml); it only sets the scale.
_HEIGHT_M = 1.65
_MIB = 1 << 20


def main(arguments: Sequence[str]) -> int:
    """Runs the demo and returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--video", type=Path, default=SAMPLE)
    parser.add_argument("--output", type=Path, default=CHECKOUT / "out" / "demo")
    parser.add_argument("--preset", default="PRESET_ACCURATE", choices=["PRESET_ACCURATE", "PRESET_FAST"])
    options = parser.parse_args(arguments)
    started_s = time.monotonic()
    found = read_state(read_settings(os.environ))
    was_up = found.is_alive
    if found.complaint:
        sys.stderr.write(f"{found.complaint}\n")
    if run_devstack("up", quiet=True):
        return 1
    up_s = time.monotonic() - started_s
    try:
        timings = _analyse(options.video, options.output, options.preset)
        timings["stack_start_s"] = 0.0 if was_up else round(up_s, 2)
        timings["stack_resident_mib"] = _resident_mib()
    except PraxiscopeError as error:
        sys.stderr.write(f"The demo failed: {error}\n")
        return 1
    finally:
        if not was_up:
            run_devstack("down", quiet=True)
    timings["whole_s"] = round(time.monotonic() - started_s, 2)
    (options.output / "timings.json").write_text(json.dumps(timings, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(
        f"\n{timings['frames_per_s']} frames/s measured, {timings['frames_per_s_with_overlay']} with the overlay; the stack held"
        f" {timings['stack_resident_mib']} MiB; all in all {timings['whole_s']} s.\n"
        f"Look at {shown_path(options.output / 'overlay.mp4')} and {shown_path(options.output / 'report.html')}.\n"
    )
    return 0


def _analyse(video: Path, output: Path, preset: str) -> dict[str, float]:
    screen = Screen(is_json=False)
    with Client(read_profile(folder=CHECKOUT)) as client:
        started_s = time.monotonic()
        asset = client.upload(video)
        uploaded_s = time.monotonic()
        operation = client.analyze_motion(asset.latest_version, height_m=_HEIGHT_M, preset=preset)
        shown = ""

        def show(progress: Progress) -> None:
            nonlocal shown
            stage = next((item.name for item in progress.stages if item.progress < 1), "")
            if stage and stage != shown:
                sys.stdout.write(f"[{time.monotonic() - started_s:5.1f} s] {stage}\n")
                sys.stdout.flush()
                shown = stage

        response = client.wait(operation, on_progress=show)
        analysed_s = time.monotonic()
        output.mkdir(parents=True, exist_ok=True)
        files = client.download_all(response.motion.asset_version, output)
        if response.motion.overlay:
            files.append(client.download(response.motion.overlay, "overlay.mp4", output / "overlay.mp4"))
    sys.stdout.write("\n" + screen.motion_text(response, [Path(shown_path(file)) for file in files]) + "\n")
    stages = {f"{stage}_s": round(elapsed_s, 3) for stage, elapsed_s in sorted(response.stage_elapsed_s.items())}
    measured_s = sum(elapsed_s for stage, elapsed_s in response.stage_elapsed_s.items() if stage != "overlay")
    return {
        "frame_count": response.motion.frame_count,
        "upload_s": round(uploaded_s - started_s, 3),
        **stages,
        "analysis_s": round(analysed_s - uploaded_s, 3),
        "download_s": round(time.monotonic() - analysed_s, 3),
        "frames_per_s": round(response.motion.frame_count / measured_s, 2),
        "frames_per_s_with_overlay": round(response.motion.frame_count / (analysed_s - uploaded_s), 2),
    }


def _resident_mib() -> float:
    state = read_state(read_settings(os.environ))
    return round(sum(resident_bytes_of(part["pid"]) for part in state.parts) / _MIB)


def run_devstack(command: str, *, quiet: bool) -> int:
    """Starts or stops the stack; returns the exit code."""
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        [sys.executable, "-m", "tools.devstack", command], check=False, cwd=CHECKOUT, stdout=output
    ).returncode


def shown_path(path: Path) -> str:
    """Returns a path as it is shown: from the checkout where it lies inside."""
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
