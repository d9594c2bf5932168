"""supervision's ByteTrack at the thresholds of the paper (section 4.1), in its own environment (.venv-bench)."""

from __future__ import annotations

import numpy as np
import supervision

from bench.tracking.turns import serve


class Supervision:
    """What its documentation shows: `update_with_detections`."""

    def __init__(self) -> None:
        # New tracks begin 0.1 above the first threshold, low boxes at 0.1 and the second match at 0.5: built in.
        self._tracker = supervision.ByteTrack(
            track_activation_threshold=0.6, lost_track_buffer=30, minimum_matching_threshold=0.9, frame_rate=30
        )

    def prepare(self, boxes: np.ndarray, scores: np.ndarray) -> supervision.Detections:
        """Makes its detections."""
        return supervision.Detections(xyxy=boxes, confidence=scores, class_id=np.zeros(len(boxes), dtype=int))

    def update(self, frame: supervision.Detections) -> supervision.Detections:
        """Advances the tracker."""
        return self._tracker.update_with_detections(frame)

    def read(self, result: supervision.Detections) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids and boxes."""
        return result.tracker_id, result.xyxy


if __name__ == "__main__":
    serve(Supervision)
