"""Between sRGB levels, as pictures have them, and linear light, as engines add it up (IEC 61966-2-1)."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float32, UInt8

# Finer than 8 bits of sRGB everywhere: its steepest part is 12.92 steps of a 255th for each of linear light.
_LINEAR_LEVELS = 65536


def linear(levels: UInt8[np.ndarray, "*shape"]) -> Float32[np.ndarray, "*shape"]:
    """Returns linear light, 0 to 1, of sRGB levels."""
    return _linear_of_srgb()[levels]


def displayed(light: Float32[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Returns sRGB levels of linear light; what is brighter than 1 is cut, what is no number is black."""
    index = np.clip(np.nan_to_num(light, nan=0.0), 0.0, 1.0) * (_LINEAR_LEVELS - 1) + 0.5
    return _srgb_of_linear()[index.astype(np.uint16)]


@cache
def _linear_of_srgb() -> np.ndarray:
    shares = np.arange(256) / 255.0
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4).astype(np.float32)


@cache
def _srgb_of_linear() -> np.ndarray:
    light = np.arange(_LINEAR_LEVELS) / (_LINEAR_LEVELS - 1)
    shares = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(255.0 * shares).astype(np.uint8)
