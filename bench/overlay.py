"""How fast overlays are drawn: decode at source size, draw, encode AV1; medians of interleaved rounds. `make bench`."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
_ROUNDS = 5
_HEIGHTS = (0, 720)


def main() -> int:
    """Prints frames a second at each height."""
    os.environ.setdefault("SVT_LOG", "1")
    motion = CHECKOUT / "out" / "demo" / "motion.pb.zst"
    if not motion.exists():
        sys.stderr.write("`make demo` makes the motion that is drawn.\n")
        return 1
    rates: dict[int, list[float]] = {height: [] for height in _HEIGHTS}
    for _ in range(_ROUNDS):
        for height in _HEIGHTS:
            rates[height].append(_draw(motion, height))
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    print(
        f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores; commit {commit.stdout.strip()}"
    )
    for height, found in rates.items():
        name = f"{height}p" if height else "source size"
        print(
            f"overlay at {name}: {statistics.median(found):.1f} frames/s (of {', '.join(f'{rate:.1f}' for rate in found)})"
        )
    return 0


def _draw(motion: Path, height: int) -> float:
    from praxiscope_media import VideoEncoding
    from rendering_service.adapters.drawn_video import VideoJob, draw_video
    from rendering_service.adapters.motion_file import read_motion
    from rendering_service.core.types import Style

    video = CHECKOUT / ".praxiscope" / "samples" / "demo.mp4"
    with (
        tempfile.TemporaryDirectory() as folder,
        video.open("rb") as picture,
        video.open("rb") as sound,
        motion.open("rb") as records,
    ):
        job = VideoJob(
            video=picture,
            sound=sound,
            motion=read_motion(records),
            target=Path(folder) / "overlay.mp4",
            encoding=VideoEncoding(),
            height=height,
            style=Style(),
        )
        started_s = time.perf_counter()
        count = draw_video(job, on_frame=lambda drawn, expected: None, should_stop=threading.Event())
        return count / (time.perf_counter() - started_s)


if __name__ == "__main__":
    raise SystemExit(main())
