"""Roboflow trackers' SORT, in its own environment: `python -m bench.tracking.peer_trackers MIN_SCORE NEW_TRACK_SCORE`.

It sees detections from the first score on and starts tracks from the second; its own defaults are 0 and 0.25. All else
is its default, which is ours too: overlap 0.3, 3 hits, who is lost is kept for 30 frames.
"""

from __future__ import annotations

import sys

import numpy as np
import supervision
from trackers import SORTTracker

from bench.tracking.turns import serve


class Trackers:
    """What its documentation shows: `update`."""

    def __init__(self, min_score: float, new_track_score: float) -> None:
        self._tracker, self._min_score = SORTTracker(track_activation_threshold=new_track_score), min_score

    def prepare(self, boxes: np.ndarray, scores: np.ndarray) -> supervision.Detections:
        """Makes its detections, of the scores it is to see."""
        kept = scores >= self._min_score
        return supervision.Detections(
            xyxy=boxes[kept], confidence=scores[kept], class_id=np.zeros(int(kept.sum()), dtype=int)
        )

    def update(self, frame: supervision.Detections) -> supervision.Detections:
        """Advances the tracker."""
        return self._tracker.update(frame)

    def read(self, result: supervision.Detections) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids and boxes of the tracks it is sure of."""
        is_sure = result.tracker_id != -1
        return result.tracker_id[is_sure] + 1, result.xyxy[is_sure]


if __name__ == "__main__":
    serve(lambda: Trackers(float(sys.argv[1]), float(sys.argv[2])))
