"""MOTChallenge text: detections in, tracks out.

One object per line: `frame,id,left,top,width,height,score[,x,y,z]`, frames and ids from 1, pixels, score -1 where
    unknown. Read as a stream, one frame
at a time, so that a file's size does not matter.

**Source:** A. Milan et al., "MOT16: A Benchmark for Multi-Object Tracking", arXiv 1603.00831, section 3.3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tracking_service.core.errors import InvalidMotChallengeTextError
from tracking_service.core.types import FloatArray, IntArray, TrackedDetections

MIN_COLUMNS, MAX_COLUMNS = 6, 10
# A line of ten numbers has about a hundred characters; longer than this it is not MOTChallenge text.
MAX_LINE_LENGTH = 1000
# A frame number beyond this (a year at 120 frames per second, times two) is a mistake, not a film.
MAX_FRAME = 10_000_000_000
# Ids are whole numbers, which a float holds exactly up to here.
MAX_ID = 1 << 53
# Pixels; no picture is as large, and beyond it arithmetic would lose a box's size or overflow.
MAX_PIXELS = 1e9


@dataclass(frozen=True, kw_only=True)
class FrameDetections:
    """The detections of one frame.

    Attributes:
        frame_index: Frame, from 0: the text's number less one.
        ids: Ids as in the text, -1 where unknown. [N]
        boxes_xyxy_px: Boxes (left, top, right, bottom). [N, 4]
        scores: Scores as in the text; 1 where the text gives none or -1. [N]
    """

    frame_index: int
    ids: IntArray
    boxes_xyxy_px: FloatArray
    scores: FloatArray


def read_detections(lines: Iterable[str], *, max_objects_per_frame: int = 5000) -> Iterator[FrameDetections]:
    """Reads MOTChallenge text frame by frame.

    Args:
        lines: Lines of the text, with or without line ends; empty ones are passed over.
        max_objects_per_frame: More objects than this in one frame are refused.

    Yields:
        Frames in order; those without objects do not appear.

    Raises:
        InvalidMotChallengeTextError: A line cannot be read; it names the line, counted from 1, and what is wrong.
    """
    frame, rows = 0, list[tuple[float, ...]]()
    for line_number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        row = _parse_line(line, line_number)
        if row[0] < frame:
            raise _error(line_number, f"frames must not go back, came {int(row[0])} after {frame}")
        if row[0] > frame:
            if rows:
                yield _pack(frame, rows)
            frame, rows = int(row[0]), []
        if len(rows) >= max_objects_per_frame:
            raise _error(line_number, f"frame {frame} has more than {max_objects_per_frame} objects")
        rows.append(row)
    if rows:
        yield _pack(frame, rows)


def write_tracks(frames: Iterable[TrackedDetections]) -> Iterator[str]:
    """Writes tracks as MOTChallenge text.

    Args:
        frames: Tracked frames in order.

    Yields:
        One line per object, with its line end: frame from 1, id, left, top, width, height in pixels (two decimals),
            score, and -1 three times for the
        world position that a picture does not give.
    """
    for tracked in frames:
        for track_id, (left, top, right, bottom), score in zip(
            tracked.ids, tracked.boxes_xyxy_px, tracked.scores, strict=True
        ):
            yield (
                f"{tracked.frame_index + 1},{track_id},{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f},"
                f"{score:.4f},-1,-1,-1\n"
            )


def _parse_line(line: str, line_number: int) -> tuple[float, ...]:
    if len(line) > MAX_LINE_LENGTH:
        raise _error(line_number, f"the line has {len(line)} characters, more than {MAX_LINE_LENGTH}")
    parts = line.strip().split(",")
    if not MIN_COLUMNS <= len(parts) <= MAX_COLUMNS:
        raise _error(line_number, f"{len(parts)} columns, expected {MIN_COLUMNS} to {MAX_COLUMNS}")
    try:
        values = tuple(float(part) for part in parts)
    except ValueError as error:
        raise _error(line_number, f"not a number: {error}") from error
    if not all(math.isfinite(value) for value in values):
        raise _error(line_number, "NaN and infinity are not allowed")
    frame, track_id, _, _, width, height = values[:6]
    if frame != int(frame) or not 1 <= frame <= MAX_FRAME:
        raise _error(line_number, f"the frame must be a whole number from 1, is {parts[0]}")
    if track_id != int(track_id) or not -1 <= track_id <= MAX_ID:
        raise _error(line_number, f"the id must be a whole number from -1 to 2^53, is {parts[1]}")
    if max(abs(value) for value in values[2:6]) > MAX_PIXELS:
        raise _error(line_number, f"a box must lie within {MAX_PIXELS:.0e} pixels, is {', '.join(parts[2:6])}")
    if width <= 0.0 or height <= 0.0:
        raise _error(line_number, f"width and height must be positive, are {parts[4]} and {parts[5]}")
    score = values[6] if len(values) > 6 and values[6] != -1.0 else 1.0
    return (*values[:6], score)


def _pack(frame: int, rows: list[tuple[float, ...]]) -> FrameDetections:
    table = np.array(rows)
    boxes = table[:, 2:6].copy()
    boxes[:, 2:] += boxes[:, :2]
    return FrameDetections(
        frame_index=frame - 1, ids=table[:, 1].astype(np.int64), boxes_xyxy_px=boxes, scores=table[:, 6].copy()
    )


def _error(line_number: int, what: str) -> InvalidMotChallengeTextError:
    return InvalidMotChallengeTextError(
        f"line {line_number}: {what}", metadata={"line_number": str(line_number), "problem": what}
    )
