"""Times the trackers in crowds of 10, 100 and 1000 people: median frame of process time, one thread.

python bench/accuracy/track_speed.py
"""

from __future__ import annotations

import sys
import time

import numpy as np

from tracking_service.core.config import PRESETS
from tracking_service.core.tracker import create_tracker

CROWDS = ((10, 600), (100, 200), (1000, 40))
WARM_UP_FRAMES = 5


def make_crowd(count: int, frame_count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Makes people who walk at random; 5 % of the boxes are missing, scores vary, density stays the same."""
    random = np.random.default_rng(count)
    side = 300.0 * np.sqrt(count)
    centers, speeds = random.uniform(0, side, (count, 2)), random.normal(0, 3, (count, 2))
    heights = random.uniform(80, 240, count)
    frames = []
    for _ in range(frame_count):
        speeds += random.normal(0, 0.3, speeds.shape)
        centers = np.clip(centers + speeds, 0, side)
        noisy = centers + random.normal(0, 2, centers.shape)
        half = np.stack([0.2 * heights, 0.5 * heights], axis=1)
        is_seen = random.uniform(size=count) > 0.05
        frames.append((np.hstack([noisy - half, noisy + half])[is_seen], random.uniform(0.2, 1.0, count)[is_seen]))
    return frames


def main() -> int:
    """Prints frames per second for each tracker and crowd."""
    for name in ("sort", "bytetrack"):
        for count, frame_count in CROWDS:
            tracker, times_s = create_tracker(PRESETS[name]), []
            for frame_index, (boxes, scores) in enumerate(make_crowd(count, frame_count)):
                start_s = time.process_time()
                tracker.update(boxes, scores, frame_index)
                times_s.append(time.process_time() - start_s)
            median_s = float(np.median(times_s[WARM_UP_FRAMES:]))
            print(f"{name:10s} {count:5d} people {1.0 / median_s:8.0f} frames/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
