"""Steps of a person who walks or runs across the view.

**Source:** J. A. Zeni et al., "Two simple methods for determining gait events during treadmill and overground walking
using kinematic data", Gait & Posture 27,
2008: a foot strikes where it is farthest ahead of the pelvis, and leaves the ground where it is farthest behind.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import find_peaks  # pyright: ignore[reportUnknownVariableType]

from biomechanics_service.core.landmarks import POINT_INDEX
from biomechanics_service.core.types import FloatArray, GaitEvents, IntArray, View

# Feet swing by about 0.4 leg lengths each way in walking; less than this is standing about.
MIN_SWING_LEGS = 0.2
MIN_TRAVEL_LEGS = 1.0
MIN_SIDE_SHARE = 0.7
MIN_STRIKE_COUNT = 3
# No human step cycle of one foot is shorter: 0.4 s is a sprinter's.
MIN_STRIDE_S = 0.4
# Steps must be even to be called a cadence: the spread of step times over their median.
MAX_STEP_SPREAD = 0.6


def find_gait_events(
    points_px: FloatArray, time_s: FloatArray, frame_index: IntArray, views: tuple[View, ...], facing: FloatArray
) -> GaitEvents:
    """Finds foot strikes and lift-offs, and the cadence, where the view allows.

    Args:
        points_px: Filtered merged points. [T, 21, 2]
        time_s: Times. [T]
        frame_index: Frames. [T]
        views: Views. [T]
        facing: +1 right, -1 left. [T]

    Returns:
        Events, or why there are none.
    """
    pelvis = 0.5 * (points_px[:, POINT_INDEX["left_hip"]] + points_px[:, POINT_INDEX["right_hip"]])
    legs = [
        np.linalg.norm(points_px[:, POINT_INDEX[f"{side}_ankle"]] - points_px[:, POINT_INDEX[f"{side}_hip"]], axis=-1)
        for side in ("left", "right")
    ]
    seen_legs = np.concatenate(legs)[np.isfinite(np.concatenate(legs))]
    if len(seen_legs) < 20:
        return _refuse("the legs were not seen for long enough")
    leg_px = float(np.percentile(seen_legs, 80))
    ankle_y = np.fmax(points_px[:, POINT_INDEX["left_ankle"], 1], points_px[:, POINT_INDEX["right_ankle"], 1])
    is_upright = pelvis[:, 1] < ankle_y - 0.5 * leg_px
    is_side = np.array([view == View.SIDE for view in views]) & (facing != 0.0) & is_upright
    if is_side.mean() < MIN_SIDE_SHARE:
        return _refuse("the person was not seen upright and from the side for most of the recording")
    seen_x = pelvis[np.isfinite(pelvis[:, 0]), 0]
    if abs(seen_x[-1] - seen_x[0]) < MIN_TRAVEL_LEGS * leg_px:
        return _refuse("the person did not walk or run across the picture")
    strikes: dict[str, IntArray] = {}
    offs: dict[str, IntArray] = {}
    step_s = float(np.median(np.diff(time_s)))
    for side in ("left", "right"):
        heel_ahead = facing * (points_px[:, POINT_INDEX[f"{side}_ankle"], 0] - pelvis[:, 0])
        toe_ahead = facing * (points_px[:, POINT_INDEX[f"{side}_toe"], 0] - pelvis[:, 0])
        toe_ahead = np.where(np.isfinite(toe_ahead), toe_ahead, heel_ahead)
        strikes[side] = frame_index[_find_peaks(np.where(is_side, heel_ahead, np.nan), leg_px, step_s)]
        offs[side] = frame_index[_find_peaks(np.where(is_side, -toe_ahead, np.nan), leg_px, step_s)]
    both = np.sort(np.concatenate([strikes["left"], strikes["right"]]))
    if len(both) < MIN_STRIKE_COUNT:
        return _refuse(f"only {len(both)} foot strikes were seen; {MIN_STRIKE_COUNT} are needed")
    step_times_s = np.diff(time_s[both - frame_index[0]])
    spread = float(np.ptp(step_times_s) / np.median(step_times_s))
    if spread > MAX_STEP_SPREAD:
        return GaitEvents(
            strike_frames=strikes,
            off_frames=offs,
            cadence_steps_per_min=float("nan"),
            missing_reason="the steps are too uneven for one cadence",
        )
    cadence = 60.0 * len(step_times_s) / float(step_times_s.sum())
    return GaitEvents(strike_frames=strikes, off_frames=offs, cadence_steps_per_min=cadence, missing_reason="")


def _find_peaks(signal: FloatArray, leg_px: float, step_s: float) -> IntArray:
    floor = float(np.nanmin(signal)) if np.isfinite(signal).any() else 0.0
    filled = np.where(np.isfinite(signal), signal, floor)
    distance = max(int(MIN_STRIDE_S / step_s), 1)
    found = find_peaks(filled, prominence=MIN_SWING_LEGS * leg_px, distance=distance)  # pyright: ignore[reportUnknownVariableType]
    peaks: IntArray = np.asarray(found[0], dtype=np.int64)
    # A peak beside a hole is the hole's edge, not a step.
    is_inside = np.array([np.isfinite(signal[max(p - 2, 0) : p + 3]).all() for p in peaks], dtype=np.bool_)
    return peaks[is_inside]


def _refuse(reason: str) -> GaitEvents:
    nothing: dict[str, IntArray] = {side: np.zeros(0, dtype=np.int64) for side in ("left", "right")}
    return GaitEvents(
        strike_frames=nothing, off_frames=nothing, cadence_steps_per_min=float("nan"), missing_reason=reason
    )
