"""Colours: as screens show them, as the eye tells them apart, and as light adds them.

Source: sRGB as in IEC 61966-2-1; CIELAB as in CIE 15:2004 with the white D65.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, Shaped

from editing_service.core.arrays import AnyArray, Float32Array, FloatArray
from praxiscope_worlds import SH_C0

# Linear sRGB to XYZ, and the white that (1, 1, 1) gives.
_XYZ_FROM_RGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_RGB_FROM_XYZ = np.linalg.inv(_XYZ_FROM_RGB)
_WHITE = _XYZ_FROM_RGB.sum(axis=1)
_KNEE = 6.0 / 29.0
# A channel darker than this says nothing about how its harmonics are to be scaled.
_MIN_BASE = 0.02
_MAX_RATIO = 2.0


def base_colors(sh: Shaped[AnyArray, "N K 3"]) -> Float64[FloatArray, "N 3"]:
    """Returns the colours that the constant harmonic gives, sRGB; they may lie outside [0, 1]."""
    return 0.5 + SH_C0 * sh[:, 0].astype(np.float64)


def with_base_colors(sh: Shaped[AnyArray, "N K 3"], colors_rgb: Float64[FloatArray, "N 3"]) -> Float32Array:
    """Returns harmonics with other base colours; the rest is scaled with its channel, so that a shine keeps its share.

    Args:
        sh: What there is.
        colors_rgb: The new base colours, sRGB.
    """
    changed = sh.astype(np.float32, copy=True)
    changed[:, 0] = ((colors_rgb - 0.5) / SH_C0).astype(np.float32)
    if sh.shape[1] > 1:
        old = np.maximum(base_colors(sh), _MIN_BASE)
        ratio = np.clip(np.maximum(colors_rgb, 0.0) / old, 0.0, _MAX_RATIO).astype(np.float32)
        changed[:, 1:] *= ratio[:, None]
    return changed


def linear_from_srgb(colors: Float64[FloatArray, "... 3"]) -> Float64[FloatArray, "... 3"]:
    """Returns light; what is outside [0, 1] is cut."""
    cut = np.clip(colors, 0.0, 1.0)
    return np.where(cut <= 0.04045, cut / 12.92, ((cut + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(light: Float64[FloatArray, "... 3"]) -> Float64[FloatArray, "... 3"]:
    """Returns colours; what is outside [0, 1] is cut."""
    cut = np.clip(light, 0.0, 1.0)
    return np.where(cut <= 0.0031308, cut * 12.92, 1.055 * cut ** (1 / 2.4) - 0.055)


def lab_from_srgb(colors: Float64[FloatArray, "... 3"]) -> Float64[FloatArray, "... 3"]:
    """Returns lightness (0 to 100), green to red, blue to yellow."""
    ratios = linear_from_srgb(colors) @ (_XYZ_FROM_RGB / _WHITE[:, None]).T
    roots: FloatArray = np.cbrt(ratios)
    curved: FloatArray = np.where(ratios > _KNEE**3, roots, ratios / (3 * _KNEE**2) + 4.0 / 29.0)
    x, y, z = curved[..., 0], curved[..., 1], curved[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def srgb_from_lab(lab: Float64[FloatArray, "... 3"]) -> Float64[FloatArray, "... 3"]:
    """Returns colours; what no screen shows is cut channel by channel."""
    y = (lab[..., 0] + 16) / 116
    curved = np.stack([y + lab[..., 1] / 500, y, y - lab[..., 2] / 200], axis=-1)
    ratios = np.where(curved > _KNEE, curved**3, 3 * _KNEE**2 * (curved - 4.0 / 29.0))
    return srgb_from_linear((ratios * _WHITE) @ _RGB_FROM_XYZ.T)
