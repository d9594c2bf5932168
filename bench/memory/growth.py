"""Whether memory grows with the video: the peak over all processes at a long video beside a short one's, in one run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import stack
from bench.figure import Figure
from bench.memory.long_video import read_small, write_long
from bench.memory.peak import Peak
from praxiscope.client import Client

GOAL_GROWTH_MB = 16.0
GOAL_PERSON_FRAME_KB = 2.0
_WIDTH_PX = 640
# Who keeps tracks and angles until an analysis is over.
_HOLDERS = ("biomechanics-work", "tracking")


@dataclass(frozen=True, kw_only=True)
class Run:
    """One analysis, with its overlay.

    Attributes:
        frame_count: Of the video.
        person_frame_count: In how many frames each person was seen, together.
        elapsed_s: From the request to the response.
        peak: What was held meanwhile.
        stored_bytes: Of the tracks and the angles that came of it; the overlay is not among them.
    """

    frame_count: int
    person_frame_count: int
    elapsed_s: float
    peak: Peak
    stored_bytes: int


def measure(frame_counts: Sequence[int]) -> Sequence[Figure]:
    """Analyses a short video twice, the first time for nothing, then the long one."""
    short_count, long_count = frame_counts
    with tempfile.TemporaryDirectory() as folder, Client(stack.profile()) as client:
        pictures = read_small(stack.SAMPLE, _WIDTH_PX)
        videos = {
            count: client.upload(write_long(Path(folder) / f"{count}.mp4", pictures, count)).latest_version
            for count in frame_counts
        }
        analyse(client, videos[short_count])  # whoever is first pays for a cold start
        short, long = (analyse(client, videos[count]) for count in (short_count, long_count))
    growth = long.peak.total_bytes - short.peak.total_bytes
    extra = long.person_frame_count - short.person_frame_count
    by_part = long.peak.by_part.copy()
    by_part.subtract(short.peak.by_part)
    most = ", ".join(f"{name} {value / 2**20:+.1f}" for name, value in by_part.most_common(4))
    held = sum(by_part[name] for name in _HOLDERS)
    stored = (long.stored_bytes - short.stored_bytes) / extra
    return [
        _told(short),
        _told(long),
        Figure(
            name=f"peak at {long.frame_count} frames over {short.frame_count}",
            value=growth / 2**20,
            unit="MiB",
            goal=GOAL_GROWTH_MB,
            note=f"({most})",
        ),
        Figure(
            name="held for tracks and angles",
            value=max(0, held) / extra / 2**10,
            unit="KiB/p.f.",
            goal=GOAL_PERSON_FRAME_KB,
            note=f"({held / 2**20:+.1f} MiB of {' and '.join(_HOLDERS)} for {extra} person-frames more)",
        ),
        Figure(name="stored: observations, tracks, angles, tables", value=stored / 2**10, unit="KiB/p.f."),
    ]


def analyse(client: Client, version: str) -> Run:
    """Analyses a video and looks at the memory meanwhile."""
    start = time.perf_counter()
    with Peak() as peak:
        response = client.wait(client.analyze_motion(version))
    motion = response.motion
    files = client.asset_version(motion.asset_version).files
    return Run(
        frame_count=motion.frame_count,
        person_frame_count=sum(person.seen_frame_count for person in motion.persons),
        elapsed_s=time.perf_counter() - start,
        peak=peak,
        stored_bytes=sum(file.size_bytes for file in files if not file.path.endswith((".mp4", ".webm"))),
    )


def _told(run: Run) -> Figure:
    note = f"({run.person_frame_count} person-frames, {run.frame_count / run.elapsed_s:.1f} frames/s)"
    return Figure(
        name=f"peak of all processes at {run.frame_count} frames",
        value=run.peak.total_bytes / 2**20,
        unit="MiB",
        note=note,
    )
