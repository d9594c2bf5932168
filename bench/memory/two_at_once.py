"""Two analyses at once: both finish, and together they are not slower than one."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

from bench import stack
from bench.figure import Figure
from praxiscope.client import Client

GOAL = 0.95


def measure(round_count: int) -> Sequence[Figure]:
    """Analyses the sample once and twice at the same time, in turns."""
    one: list[float] = []
    two: list[float] = []
    with Client(stack.profile()) as client:
        version = client.upload(stack.SAMPLE).latest_version
        _frames_per_s(client, version, 1)  # whoever is first pays for a cold start
        for _ in range(round_count):
            one.append(_frames_per_s(client, version, 1))
            two.append(_frames_per_s(client, version, 2))
    alone, together = statistics.median(one), statistics.median(two)
    note = f"({together:.1f} and {alone:.1f} frames/s, {round_count} rounds in turns)"
    return [
        Figure(
            name="two analyses at once to one",
            value=together / alone,
            unit="times",
            goal=GOAL,
            is_at_least=True,
            note=note,
        )
    ]


def _frames_per_s(client: Client, version: str, count: int) -> float:
    """Returns the frames of all analyses over the time until the last is over; one that fails raises."""
    start = time.perf_counter()
    operations = [client.analyze_motion(version, omit_overlay=True) for _ in range(count)]
    frame_count = sum(client.wait(operation).motion.frame_count for operation in operations)
    return frame_count / (time.perf_counter() - start)
