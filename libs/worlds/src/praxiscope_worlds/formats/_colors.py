"""Between sRGB as pictures have it and linear light as glTF wants it at corners (IEC 61966-2-1)."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8


def linear_of(srgb: UInt8[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
    """Linear light in [0, 1] of sRGB bytes."""
    shares = np.arange(256) / 255
    table = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    return table[srgb]


def srgb_of(linear: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """SRGB bytes of linear light; what is outside [0, 1] is cut."""
    inside = np.clip(np.nan_to_num(linear), 0, 1)
    shares = np.where(inside <= 0.0031308, inside * 12.92, 1.055 * inside ** (1 / 2.4) - 0.055)
    return np.rint(shares * 255).astype(np.uint8)
