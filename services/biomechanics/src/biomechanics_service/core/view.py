"""From where the camera sees a body, and which way the body faces."""

from __future__ import annotations

import numpy as np

from biomechanics_service.core.config import ViewConfig
from biomechanics_service.core.landmarks import POINT_INDEX
from biomechanics_service.core.types import FloatArray, View

# Toes must lead heels, or the nose the ears, by this share of the trunk before the body is said to face a side.
MIN_LEAD = 0.05


def find_views(points_px: FloatArray, time_s: FloatArray, config: ViewConfig) -> tuple[tuple[View, ...], FloatArray]:
    """Tells the view and the facing of every frame from the neighbourhood's median.

    Args:
        points_px: Merged points. [T, 21, 2]
        time_s: Times. [T]
        config: Limits.

    Returns:
        The views, and +1 where the body faces the picture's right, -1 left, 0 where that cannot be told. [T], [T]
    """

    def at(name: str) -> FloatArray:
        return points_px[:, POINT_INDEX[name]]

    trunk = 0.5 * (at("left_hip") + at("right_hip") - at("left_shoulder") - at("right_shoulder"))
    usual_trunk_px = _median(np.linalg.norm(trunk, axis=-1))
    width = np.linalg.norm(at("left_shoulder") - at("right_shoulder"), axis=-1) / usual_trunk_px
    leads = np.stack(
        [
            at("left_toe")[:, 0] - at("left_heel")[:, 0],
            at("right_toe")[:, 0] - at("right_heel")[:, 0],
            at("nose")[:, 0] - 0.5 * (at("left_ear")[:, 0] + at("right_ear")[:, 0]),
        ]
    )
    lead = _median_of_columns(leads) / usual_trunk_px
    step_s = float(np.median(np.diff(time_s))) if len(time_s) > 1 else 1.0
    half_window = max(round(0.5 * config.window_s / step_s), 0)
    width, lead = _smooth(width, half_window), _smooth(lead, half_window)
    views = tuple(_name_view(float(value), config) for value in width)
    facing = np.where(np.abs(np.nan_to_num(lead)) >= MIN_LEAD, np.sign(np.nan_to_num(lead)), 0.0)
    return views, facing


def _name_view(width: float, config: ViewConfig) -> View:
    if not np.isfinite(width):
        return View.UNKNOWN
    if width <= config.max_sagittal_width:
        return View.SIDE
    return View.FRONT if width >= config.min_frontal_width else View.BETWEEN


def _median(values: FloatArray) -> float:
    seen = values[np.isfinite(values)]
    return float(np.median(seen)) if len(seen) else float("nan")


def _median_of_columns(rows: FloatArray) -> FloatArray:
    medians = np.full(rows.shape[1], np.nan)
    is_any = np.isfinite(rows).any(axis=0)
    medians[is_any] = np.nanmedian(rows[:, is_any], axis=0)
    return medians


def _smooth(values: FloatArray, half_window: int) -> FloatArray:
    padded = np.concatenate([np.full(half_window, np.nan), values, np.full(half_window, np.nan)])
    return _median_of_columns(np.lib.stride_tricks.sliding_window_view(padded, 2 * half_window + 1).T)
