"""Who was where, as MOTChallenge text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from biomechanics_service.core.types import FloatArray


def write_tracks(boxes: Iterable[tuple[int, int, FloatArray]]) -> Iterator[str]:
    """Yields one line per person and frame: frame from 1, id, left, top, width, height in pixels, 1, and -1 three times.

    The seventh column would be a detector's score; here it says that the line counts, as in the text's ground truth form.

    Args:
        boxes: Frame from 0, id, and box (left, top, right, bottom), in order of frames.
    """
    for frame_index, person_id, (left, top, right, bottom) in boxes:
        yield f"{frame_index + 1},{person_id},{left:.2f},{top:.2f},{right - left:.2f},{bottom - top:.2f},1,-1,-1,-1\n"
