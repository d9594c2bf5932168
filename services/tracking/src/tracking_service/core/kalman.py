"""A constant-velocity Kalman filter for many boxes at once.

A box is (centre x, centre y, width, height). With diagonal noise each of the four has a filter of its own with two
states, value and velocity, so that a
box's 8 x 8 covariance is four 2 x 2 ones: no matrix is inverted, and a thousand boxes cost a dozen array operations.

**Source:** R. E. Kalman 1960; the model is SORT's (Bewley et al. 2016) with width and height for area and ratio (as
BoT-SORT, Aharon et al. 2022, found
better), and noise as shares of the height (DeepSORT, Wojke et al. 2017).
"""

from __future__ import annotations

import numpy as np

from tracking_service.core.config import KalmanConfig
from tracking_service.core.types import FloatArray, IntArray

# Rows of a filter state [N, 5, 4]; the last axis is centre x, centre y, width, height.
VALUE, VELOCITY, VALUE_VARIANCE, COVARIANCE, VELOCITY_VARIANCE = range(5)
# A new box's velocity is unknown: this many times the noise of one frame's change. DeepSORT's authors start at 10
# times.
INITIAL_VELOCITY_FACTOR = 10.0
INITIAL_VALUE_FACTOR = 2.0
# Boxes never get smaller than this, in pixels; a filter that shrinks for long would otherwise turn a box inside out.
MIN_SIDE_PX = 1.0


def center_boxes(boxes_xyxy_px: FloatArray) -> FloatArray:
    """Turns corners [N, 4] into (centre x, centre y, width, height) [N, 4], pixels."""
    centered = np.empty_like(boxes_xyxy_px)
    centered[:, 2:] = boxes_xyxy_px[:, 2:] - boxes_xyxy_px[:, :2]
    centered[:, :2] = boxes_xyxy_px[:, :2] + 0.5 * centered[:, 2:]
    return centered


def corner_boxes(centered_px: FloatArray) -> FloatArray:
    """Turns (centre x, centre y, width, height) [N, 4] into corners [N, 4], pixels."""
    corners = np.empty_like(centered_px)
    half = 0.5 * centered_px[:, 2:]
    corners[:, :2] = centered_px[:, :2] - half
    corners[:, 2:] = centered_px[:, :2] + half
    return corners


def start_filters(centered_px: FloatArray, config: KalmanConfig) -> FloatArray:
    """Starts a filter at each box.

    Args:
        centered_px: Boxes (centre x, centre y, width, height). [N, 4]
        config: Noise.

    Returns:
        Filter states at rest. [N, 5, 4]
    """
    heights = centered_px[:, 3:4]
    filters = np.zeros((len(centered_px), 5, 4))
    filters[:, VALUE] = centered_px
    filters[:, VALUE_VARIANCE] = (INITIAL_VALUE_FACTOR * config.position_noise * heights) ** 2
    filters[:, VELOCITY_VARIANCE] = (INITIAL_VELOCITY_FACTOR * config.velocity_noise * heights) ** 2
    return filters


def predict_filters(filters: FloatArray, config: KalmanConfig) -> None:
    """Moves every filter one frame ahead, in place.

    Args:
        filters: Filter states. [N, 5, 4]
        config: Noise.
    """
    squared_heights = filters[:, VALUE, 3:4] ** 2
    filters[:, VALUE] += filters[:, VELOCITY]
    filters[:, VALUE_VARIANCE] += (
        2.0 * filters[:, COVARIANCE] + filters[:, VELOCITY_VARIANCE] + config.position_noise**2 * squared_heights
    )
    filters[:, COVARIANCE] += filters[:, VELOCITY_VARIANCE]
    filters[:, VELOCITY_VARIANCE] += config.velocity_noise**2 * squared_heights
    np.maximum(filters[:, VALUE, 2:], MIN_SIDE_PX, out=filters[:, VALUE, 2:])


def correct_filters(
    filters: FloatArray,
    rows: IntArray,
    centered_px: FloatArray,
    config: KalmanConfig,
    noise_factors: FloatArray | None = None,
) -> None:
    """Corrects some filters by the boxes that were matched to them, in place.

    Args:
        filters: Filter states. [N, 5, 4]
        rows: Which filters. [M] int
        centered_px: Their boxes. [M, 4]
        config: Noise.
        noise_factors: Factor on each box's measurement noise; None for 1. [M]
    """
    value, velocity, value_variance, covariance, velocity_variance = filters[rows].transpose(1, 0, 2)  # each [M, 4]
    noise = config.measurement_noise * value[:, 3:4]  # [M, 1]
    if noise_factors is not None:
        noise *= noise_factors[:, None]
    variance = value_variance + noise**2
    value_gain = value_variance / variance
    velocity_gain = covariance / variance
    surprise = centered_px - value
    corrected = np.empty((len(centered_px), 5, 4))
    corrected[:, VALUE] = value + value_gain * surprise
    corrected[:, VELOCITY] = velocity + velocity_gain * surprise
    corrected[:, VALUE_VARIANCE] = value_variance * (1.0 - value_gain)
    corrected[:, COVARIANCE] = covariance * (1.0 - value_gain)
    corrected[:, VELOCITY_VARIANCE] = velocity_variance - velocity_gain * covariance
    np.maximum(corrected[:, VALUE, 2:], MIN_SIDE_PX, out=corrected[:, VALUE, 2:])
    filters[rows] = corrected
