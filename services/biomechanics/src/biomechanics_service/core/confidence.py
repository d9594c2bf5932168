"""How sure an angle is. Independent signs, each in [0, 1], multiply: one strong objection is enough to doubt an angle.

1. Agreement: both nets, each for itself, give the same angle, save for their usual offset, for they place joints a
little differently.
2. Bones: limbs in the picture have a length that the person's limbs can have.
3. Continuity: the angle fits the movement of the frames around it, and there are such frames.
4. Scores: what the nets say of their own points; the weakest sign, since BlazePose's presence stays near 1 on wrong
poses.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from biomechanics_service.core.config import ConfidenceConfig
from biomechanics_service.core.landmarks import POINT_INDEX
from biomechanics_service.core.types import BoolArray, FloatArray

# The usual length of a limb is this percentile of its lengths: foreshortening only makes it shorter.
USUAL_LENGTH_PERCENTILE = 80.0
# Scores at which a net is as likely right as wrong; below MoveNet's 0.15 half of the points are more than a hand off.
HALF_SCORE = 0.12
# With this share of the neighbours measured, an angle is as well supported as it gets.
FULL_SUPPORT = 0.75


def rate_agreement(
    first_deg: FloatArray, second_deg: FloatArray, apart: FloatArray, config: ConfidenceConfig
) -> FloatArray:
    """Rates how well two nets agree, in the angle and in its points.

    An angle may agree by chance where the points do not.

    Args:
        first_deg: Angle from one net. [T]
        second_deg: Angle from the other. [T]
        apart: Distances of the two nets' points in body sizes, usual offset taken out. [T, points]
        config: Scales.

    Returns:
        The worse of both signs, in (0, 1]; NaN where a net does not see all points. [T]
    """
    difference = (first_deg - second_deg + 180.0) % 360.0 - 180.0
    seen = difference[np.isfinite(difference)]
    # An offset of definition is small; a larger one is a net that is wrong most of the time, and is not forgiven.
    offset = float(np.clip(np.median(seen), -15.0, 15.0)) if len(seen) else 0.0
    by_angle = 1.0 / (1.0 + ((difference - offset) / config.agreement_deg) ** 2)
    by_points = 1.0 / (1.0 + (apart.max(axis=1) / config.agreement_distance) ** 2)
    return np.maximum(np.minimum(by_angle, by_points), config.min_agreement)


def rate_continuity(angle_deg: FloatArray, expected_deg: FloatArray, config: ConfidenceConfig) -> FloatArray:
    """Rates how well an angle fits the movement of its neighbours; NaN where it is missing."""
    return 1.0 / (1.0 + ((angle_deg - expected_deg) / config.continuity_deg) ** 2)


def rate_support(is_measured: BoolArray, half_window: int) -> FloatArray:
    """Rates how many of the neighbouring frames were measured, for where few were, continuity proves little.

    Args:
        is_measured: Where the angle was measured in the frame itself, not put into a gap. [T]
        half_window: Frames on each side; those before the first and after the last one are not missed.

    Returns:
        Sign in [0, 1]: 1 where three quarters or more of the neighbours were measured. [T]
    """
    kernel = np.ones(2 * half_window + 1)
    kernel[half_window] = 0.0
    window = slice(half_window, half_window + len(is_measured))
    seen = np.convolve(is_measured, kernel)[window]
    possible = np.convolve(np.ones(len(is_measured)), kernel)[window]
    return np.minimum(seen / np.maximum(possible, 1.0) / FULL_SUPPORT, 1.0)


def rate_bones(points: FloatArray, bones: Sequence[tuple[str, str]], config: ConfidenceConfig) -> FloatArray:
    """Rates whether limbs have lengths that they can have.

    Args:
        points: Merged points, pixels or metres. [T, 21, D]
        bones: Limbs by the names of their ends.
        config: Limits.

    Returns:
        The worst limb's sign in [0, 1]: 1 within the limits, falling to 0.1 at half the lower and twice the upper one;
        NaN where an end is missing. [T]
    """
    worst = np.full(len(points), np.inf)
    for start, end in bones:
        length = np.linalg.norm(points[:, POINT_INDEX[end]] - points[:, POINT_INDEX[start]], axis=-1)
        seen = length[np.isfinite(length)]
        usual = float(np.percentile(seen, USUAL_LENGTH_PERCENTILE)) if len(seen) else float("nan")
        ratio = length / max(usual, 1e-9)
        too_short = np.log2(np.maximum(config.min_bone_ratio / np.maximum(ratio, 1e-6), 1.0))
        too_long = np.log2(np.maximum(ratio / config.max_bone_ratio, 1.0))
        worst = np.minimum(worst, np.maximum(10.0 ** -(too_short + too_long), 0.01))
    return np.where(np.isfinite(worst), worst, np.nan)


def rate_scores(scores: FloatArray, is_filled: BoolArray, points: Sequence[str]) -> FloatArray:
    """Rates the least score among an angle's points.

    Args:
        scores: Best score of either net per point, MoveNet's scale, NaN where not seen. [T, 21]
        is_filled: Points that were put into a gap, whose scores say nothing of them. [T, 21]
        points: Names of the points.

    Returns:
        Sign in [0, 1), a half at `HALF_SCORE`; 0 where a point is missing, 1 where all were put in. [T]
    """
    indices = [POINT_INDEX[name] for name in points]
    least = np.where(is_filled[:, indices], np.inf, np.nan_to_num(scores[:, indices])).min(axis=1)
    return 1.0 / (1.0 + (HALF_SCORE / np.maximum(least, 1e-9)) ** 2)


def combine_signs(signs: Sequence[FloatArray], *, missing: float) -> FloatArray:
    """Multiplies signs.

    A missing one counts as `missing`, so that an angle with one witness is never as sure as one with two.
    """
    product = np.ones(len(signs[0]))
    for sign in signs:
        product = product * np.where(np.isfinite(sign), sign, missing)
    return product
