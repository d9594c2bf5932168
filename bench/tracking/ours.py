"""Our trackers: `python -m bench.tracking.ours sort|bytetrack`, presets as they are."""

from __future__ import annotations

import sys

import numpy as np

from bench.tracking.turns import serve
from tracking_service.core.config import PRESETS, TrackerConfig
from tracking_service.core.tracker import create_tracker
from tracking_service.core.types import TrackedDetections


class Ours:
    """One of our presets."""

    def __init__(self, config: TrackerConfig) -> None:
        self._tracker, self._frame_index = create_tracker(config), -1

    def prepare(self, boxes: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Nothing is to be done."""
        return boxes, scores

    def update(self, frame: tuple[np.ndarray, np.ndarray]) -> TrackedDetections:
        """Advances the tracker."""
        self._frame_index += 1
        return self._tracker.update(*frame, self._frame_index)

    def read(self, result: TrackedDetections) -> tuple[np.ndarray, np.ndarray]:
        """Returns ids and boxes."""
        return result.ids, result.boxes_xyxy_px


if __name__ == "__main__":
    serve(lambda: Ours(PRESETS[sys.argv[1]]))
