"""One tracker in a process of its own that waits for its turn: detection text in, track text out, time of updates.

Jobs come as JSON lines on standard input, `{"detections": path, "tracks": path or null, "frame_count": n, "warm_up":
n}`; each is answered by a line `{"frames_per_s": x}`: frames after the warm-up by the process time of the update calls
alone. This module and what it imports must run in every peer's environment.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Contestant(Protocol):
    """A tracker, in its own terms, of one sequence."""

    def prepare(self, boxes: np.ndarray, scores: np.ndarray) -> Any:
        """Puts one frame's boxes (left, top, right, bottom) [N, 4] and scores [N] as the tracker wants them."""
        ...

    def update(self, frame: Any) -> Any:
        """Advances the tracker; this alone is timed."""
        ...

    def read(self, result: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids [M] and boxes [M, 4] of what it reports."""
        ...


def read_frames(path: Path, frame_count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Reads detection text; frames without detections are there, empty."""
    table = np.loadtxt(path, delimiter=",", ndmin=2, usecols=range(7))
    frames = []
    for number in range(1, frame_count + 1):
        rows = table[table[:, 0] == number]
        boxes = rows[:, 2:6].copy()
        boxes[:, 2:] += boxes[:, :2]
        frames.append((boxes, rows[:, 6].copy()))
    return frames


def run_job(contestant: Contestant, job: dict[str, Any]) -> float:
    """Runs one sequence; returns frames per second of process time."""
    rows: list[str] = []
    spent_s: list[float] = []
    for number, (boxes, scores) in enumerate(read_frames(Path(job["detections"]), job["frame_count"]), start=1):
        frame = contestant.prepare(boxes, scores)
        started_s = time.process_time()
        result = contestant.update(frame)
        spent_s.append(time.process_time() - started_s)
        if job["tracks"] is not None:
            for track_id, (left, top, right, bottom) in zip(*contestant.read(result), strict=True):
                box = f"{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f}"
                rows.append(f"{number},{track_id},{box},1,-1,-1,-1\n")
    if job["tracks"] is not None:
        Path(job["tracks"]).write_text("".join(rows))
    timed_s = spent_s[job["warm_up"] :]
    return len(timed_s) / sum(timed_s)


def serve(create: Callable[[], Contestant]) -> None:
    """Answers jobs until standard input ends; every job has a tracker of its own."""
    for line in sys.stdin:
        sys.stdout.write(json.dumps({"frames_per_s": run_job(create(), json.loads(line))}) + "\n")
        sys.stdout.flush()
