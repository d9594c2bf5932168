"""Sun and sky for meshes: light that every engine throws in the same way, in linear light.

A white surface that faces the sun throws back about 1. The sky depends on the height above the horizon alone, so what a surface gets from it depends on
the height of its normal alone: one table of each is all that an engine needs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float32

# Rows of the tables from straight up to straight down. A row is 0.7 degrees high, which a bounded picture does not show.
SKY_ROWS = 257
# What a white surface throws back that faces the sun, and the sky's radiance: a clear day, late in the morning.
_SUN_RGB = (0.70, 0.66, 0.58)
_ZENITH_RGB, _HORIZON_RGB, _BELOW_RGB = (0.17, 0.27, 0.46), (0.43, 0.48, 0.53), (0.19, 0.17, 0.15)
# The horizon is as soft as haze makes it, so that no engine has to draw a hard edge.
_HORIZON_WIDTH = 0.03
_AZIMUTH_STEPS = 128
_MAX_ANGLE_RAD = 1000.0


@dataclass(frozen=True, kw_only=True)
class Daylight:
    """Where the sun is. Angles as of an `Orbit`.

    Attributes:
        sun_azimuth_rad: Counter-clockwise seen from above; 0 is along z.
        sun_elevation_rad: Above the horizon, 0 to a right angle.
    """

    sun_azimuth_rad: float = 0.7
    sun_elevation_rad: float = 0.9

    @property
    def towards_sun(self) -> tuple[float, float, float]:
        """Unit vector in the world's frame."""
        flat = math.cos(self.sun_elevation_rad)
        return (
            flat * math.sin(self.sun_azimuth_rad),
            math.sin(self.sun_elevation_rad),
            flat * math.cos(self.sun_azimuth_rad),
        )

    @property
    def sun_rgb(self) -> tuple[float, float, float]:
        """What a white surface throws back that faces the sun: irradiance over pi."""
        return _SUN_RGB


def daylight_told(described: Mapping[str, object]) -> Daylight:
    """Returns where a world's description says that the sun is; whoever uploaded one may have written anything there."""
    match described.get("sun"):
        case {"azimuth_rad": int() | float() as azimuth, "elevation_rad": int() | float() as elevation}:
            angles = float(azimuth), float(elevation)
            if all(abs(angle) <= _MAX_ANGLE_RAD for angle in angles):  # which no number is not
                return Daylight(sun_azimuth_rad=angles[0], sun_elevation_rad=min(max(angles[1], 0.0), math.pi / 2))
        case _:
            pass
    return Daylight()


@cache
def sky_rows() -> Float32[np.ndarray, "R 3"]:
    """Returns the sky's radiance from straight up (first row) to straight down (last), evenly by angle."""
    height = np.cos(np.linspace(0.0, math.pi, SKY_ROWS))[:, None]
    zenith, horizon, below = (np.array(color) for color in (_ZENITH_RGB, _HORIZON_RGB, _BELOW_RGB))
    over = horizon + (zenith - horizon) * np.clip(height, 0.0, 1.0) ** 0.6
    share = np.clip(0.5 - height / (2 * _HORIZON_WIDTH), 0.0, 1.0)
    return (over + (below - over) * share).astype(np.float32)


@cache
def sky_on_surfaces() -> Float32[np.ndarray, "R 3"]:
    """Returns what a white surface throws back of the sky, by its normal from straight up to straight down: irradiance over pi."""
    angles = np.linspace(0.0, math.pi, SKY_ROWS)
    azimuths = (np.arange(_AZIMUTH_STEPS) + 0.5) / _AZIMUTH_STEPS * math.tau
    # Solid angles of the sky's rows; the first and the last are half rows.
    step = math.pi / (SKY_ROWS - 1)
    edges = np.clip(np.stack([angles - step / 2, angles + step / 2]), 0.0, math.pi)
    solid = (np.cos(edges[0]) - np.cos(edges[1])) * math.tau / _AZIMUTH_STEPS
    rows = sky_rows().astype(np.float64) * solid[:, None]
    result = np.empty((SKY_ROWS, 3))
    for i_normal, tilt in enumerate(angles):
        cosine = math.cos(tilt) * np.cos(angles)[:, None] + math.sin(tilt) * np.sin(angles)[:, None] * np.cos(azimuths)
        result[i_normal] = np.maximum(cosine, 0.0).sum(axis=1) @ rows / math.pi
    return result.astype(np.float32)
