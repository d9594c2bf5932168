"""How long a job lies before a worker takes it: from the row's first time to the second, by the database's clock."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from bench import stack
from bench.figure import Figure
from praxiscope.client import Client
from praxiscope_media import VideoEncoding, VideoInfo, VideoWriter

_JOBS = 50
_SIZE_PX = 64
_FRAMES = 4
_PAUSE_S = 0.21  # one caller starts five jobs a second at most
GOAL_MS = 30.0


def measure() -> Sequence[Figure]:
    """Starts small analyses one after another, each when the one before is over, at no fixed distance to the workers' polls."""
    delays_ms: list[float] = []
    with tempfile.TemporaryDirectory() as folder, Client(stack.profile()) as client:
        version = client.upload(_small_video(Path(folder))).latest_version
        for _ in range(_JOBS):
            operation = client.analyze_motion(version, omit_overlay=True)
            client.wait(operation)
            metadata = client.operation(operation).document["metadata"]
            created, started = (datetime.fromisoformat(metadata[key]) for key in ("createTime", "startTime"))
            delays_ms.append(1e3 * (started - created).total_seconds())
            time.sleep(_PAUSE_S)
    delays_ms.sort()
    note = f"({_JOBS} jobs; p95 {delays_ms[int(0.95 * _JOBS)]:.1f} ms)"
    return [
        Figure(name="a job is taken after", value=statistics.median(delays_ms), unit="ms p50", goal=GOAL_MS, note=note)
    ]


def _small_video(folder: Path) -> Path:
    path = folder / "small.mp4"
    info = VideoInfo(
        width_px=_SIZE_PX,
        height_px=_SIZE_PX,
        frame_count=_FRAMES,
        duration_s=_FRAMES / 30,
        average_rate_hz=Fraction(30),
        rotation_deg=0,
        codec="av1",
        has_audio=False,
    )
    with VideoWriter.open(path, info, VideoEncoding()) as writer:
        for i_frame in range(_FRAMES):
            writer.write(np.full((_SIZE_PX, _SIZE_PX, 3), 60, np.uint8), Fraction(i_frame, 30))
    return path
