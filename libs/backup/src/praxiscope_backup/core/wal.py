"""Names of PostgreSQL's write-ahead log and their order.

Source: PostgreSQL 18 manual, chapter 25.3 "Continuous Archiving and Point-in-Time Recovery", and 28.6 "WAL Internals".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

# A segment is 16 MiB unless initdb was told otherwise, which ours is not; 256 of them share the middle part of their names.
SEGMENT_BYTES = 16 << 20
_SEGMENTS_A_LOG = 256
_SEGMENT = re.compile(r"([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})")
_ARCHIVED = re.compile(r"[0-9A-F]{24}(\.partial|\.[0-9A-F]{8}\.backup)?|[0-9A-F]{8}\.history")
_LABEL_LINE = re.compile(r"^LABEL: (.*)$", re.MULTILINE)
_STOP_LINE = re.compile(r"^STOP WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True, order=True)
class Segment:
    """A segment of the log.

    Attributes:
        number: How many of its kind came before it, on any timeline.
        timeline: The line of history that it belongs to; each recovery begins a new one.
    """

    number: int
    timeline: int

    @property
    def name(self) -> str:
        """Its file's name."""
        high, low = divmod(self.number, _SEGMENTS_A_LOG)
        return f"{self.timeline:08X}{high:08X}{low:08X}"


def is_archived_name(name: str) -> bool:
    """Whether PostgreSQL hands files of such a name over: segments, histories of timelines, marks of base backups."""
    return _ARCHIVED.fullmatch(name) is not None


def parse_segment(name: str) -> Segment | None:
    """Returns the segment that a file's name means, or nothing if it is none."""
    match = _SEGMENT.fullmatch(name)
    if match is None:
        return None
    timeline, high, low = (int(part, 16) for part in match.groups())
    return Segment(number=high * _SEGMENTS_A_LOG + low, timeline=timeline)


def parse_mark(text: str) -> tuple[str, str]:
    """Returns a base backup's label and its last segment, from the mark that PostgreSQL archives when one ends; empty where they are missing."""
    label, stop = _LABEL_LINE.search(text), _STOP_LINE.search(text)
    return (label[1] if label else "", stop[1] if stop else "")


def missing_numbers(names: Iterable[str], first: Segment) -> list[int]:
    """Returns the numbers of segments between `first` and the newest that no timeline has: recovery ends before each of them."""
    held = {segment.number for segment in map(parse_segment, names) if segment is not None}
    newest = max(held, default=first.number - 1)
    return [number for number in range(first.number, newest + 1) if number not in held]


def is_needed(name: str, *, ranges: Collection[tuple[int, int | None]]) -> bool:
    """Whether a file of the log must stay.

    Args:
        name: The file's.
        ranges: Numbers of the first and the last segment that each kept backup needs; without a last one, everything that follows.
    """
    segment = parse_segment(name[:24])
    if segment is None:
        return True  # histories are small, and no recovery finds its way without them
    return any(first <= segment.number and (last is None or segment.number <= last) for first, last in ranges)
