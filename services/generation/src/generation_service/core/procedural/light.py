"""Light on a procedural world: sun, sky and what stands in their way, put into the colours of corners; and the sky itself.

Shadows are looked up in a map of heights: from every corner a ray goes towards the sun and is stopped where the map is higher. What is under a crown is
therefore dark all the way down, which suits trees. Everything is linear light until the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

from generation_service.core.procedural.attributes import DayTime, Weather, WorldAttributes
from generation_service.core.procedural.noise import layered_noise
from generation_service.core.procedural.shapes import Patch, normals_of

_CELL_M = 0.25
_MAP_REACH_M = 24.0
# Steps of a ray towards the sun grow with the distance: near things throw sharp shadows.
_RAY_STEPS_M = np.cumsum(0.26 * 1.085 ** np.arange(28))
_SUN_SPREAD = 0.025
_EAVES_M = 0.75
_SUN_RAYS = 3
_SKY_DIRECTIONS, _SKY_STEPS_M = 8, (0.4, 0.9, 1.8, 3.2)
# Elevation (degrees), linear colour of the sun or the moon, zenith, horizon; the sun's azimuth is drawn from the seed.
_TIMES = {
    DayTime.MORNING: (27.0, (2.7, 2.1, 1.4), (0.17, 0.36, 0.72), (0.78, 0.73, 0.66)),
    DayTime.NOON: (58.0, (2.6, 2.45, 2.2), (0.13, 0.33, 0.75), (0.58, 0.72, 0.86)),
    DayTime.EVENING: (11.0, (2.9, 1.35, 0.5), (0.14, 0.2, 0.46), (0.96, 0.5, 0.24)),
    DayTime.NIGHT: (38.0, (0.16, 0.2, 0.3), (0.006, 0.011, 0.03), (0.025, 0.035, 0.07)),
}
_HAZE_1_M = {Weather.CLEAR: 0.0045, Weather.OVERCAST: 0.008, Weather.FOG: 0.045}
_AMBIENT = 0.62


@dataclass(frozen=True, kw_only=True)
class Atmosphere:
    """Sun, sky and haze of a world, in linear light.

    Attributes:
        towards_sun: Unit vector.
        sun_rgb: What a surface gets that faces the sun.
        zenith_rgb: The sky overhead.
        horizon_rgb: The sky low down, and the haze.
        haze_1_m: Share of light that haze takes a metre.
        cloud_cover: 0 to 1.
        seed: Of the clouds.
    """

    towards_sun: tuple[float, float, float]
    sun_rgb: tuple[float, float, float]
    zenith_rgb: tuple[float, float, float]
    horizon_rgb: tuple[float, float, float]
    haze_1_m: float
    cloud_cover: float
    seed: int


def atmosphere_of(attributes: WorldAttributes, *, seed: int) -> Atmosphere:
    """Sun, sky and haze."""
    elevation_deg, sun, zenith, horizon = _TIMES[attributes.day_time]
    azimuth = float(np.random.default_rng([seed, 3]).uniform(0, 2 * np.pi))
    elevation = np.radians(elevation_deg)
    direction = (np.cos(elevation) * np.cos(azimuth), np.sin(elevation), np.cos(elevation) * np.sin(azimuth))
    colors = [np.array(color) for color in (sun, zenith, horizon)]
    if attributes.weather is not Weather.CLEAR:
        grey = colors[1].mean() * 0.5 + colors[2].mean() * 0.5
        softness = 0.16 if attributes.weather is Weather.OVERCAST else 0.22
        colors = [
            softness * colors[0],
            *(0.25 * color + 0.75 * grey * np.array([0.97, 1.0, 1.04]) for color in colors[1:]),
        ]
    cover = {Weather.CLEAR: 0.42, Weather.OVERCAST: 0.85, Weather.FOG: 0.0}[attributes.weather]
    return Atmosphere(
        towards_sun=_triple(np.array(direction)),
        sun_rgb=_triple(colors[0]),
        zenith_rgb=_triple(colors[1]),
        horizon_rgb=_triple(colors[2]),
        haze_1_m=_HAZE_1_M[attributes.weather],
        cloud_cover=cover,
        seed=seed,
    )


def lit(item: Patch, air: Atmosphere) -> Float[np.ndarray, "V 3"]:
    """Linear colours of corners, without haze."""
    normals = normals_of(item.vertices_m, item.faces)
    heights = _height_map(item)
    open_sky = item.occlusion * _open_sky(item.vertices_m, heights)
    facing = np.maximum(0, normals @ np.array(air.towards_sun))
    sun = np.zeros(len(normals))
    lit_side = np.flatnonzero(facing > 0)
    for i_ray in range(_SUN_RAYS):
        angle = 2 * np.pi * i_ray / _SUN_RAYS
        jitter = _SUN_SPREAD * np.array([np.cos(angle), 0.5 * np.sin(angle), np.sin(angle)])
        towards = np.array(air.towards_sun) + jitter
        direction = towards / np.linalg.norm(towards)
        sun[lit_side] += _sees(item.vertices_m[lit_side], normals[lit_side], direction, heights) / _SUN_RAYS
    sky = 0.5 * (np.array(air.zenith_rgb) + np.array(air.horizon_rgb))
    # From below comes what the sunlit ground throws back.
    bounce = 0.12 * np.array(air.sun_rgb) * np.array([1.0, 0.95, 0.8])
    up = 0.5 + 0.5 * normals[:, 1:2]
    ambient = _AMBIENT * (up * sky * 1.5 + (1 - up) * bounce)
    light = ambient * open_sky[:, None] + facing[:, None] * sun[:, None] * np.array(air.sun_rgb)
    return item.albedo * light + item.glow


def hazed(
    colors: Float[np.ndarray, "... 3"], distances_m: Float[np.ndarray, ...], air: Atmosphere
) -> Float[np.ndarray, "... 3"]:
    """Colours behind so much air."""
    left = np.exp(-air.haze_1_m * distances_m)[..., None]
    return colors * left + np.array(air.horizon_rgb) * (1 - left)


def sky_rgb(directions: Float[np.ndarray, "... 3"], air: Atmosphere) -> Float[np.ndarray, "... 3"]:
    """The sky's linear colours along unit directions: a gradient, the sun's glow, clouds."""
    height = np.clip(directions[..., 1], 0, 1)
    share = (1 - (1 - height) ** 3)[..., None]
    color = np.array(air.horizon_rgb) * (1 - share) + np.array(air.zenith_rgb) * share
    near_sun = np.maximum(0, directions @ np.array(air.towards_sun))[..., None]
    sun = np.array(air.sun_rgb)
    color = color + sun * (0.25 * near_sun**24 + 3.0 * (near_sun > 0.9992))
    # Clouds lie on a plane far overhead.
    plane = directions[..., [0, 2]] / np.maximum(directions[..., 1:2], 0.06)
    puffs = layered_noise(plane, seed=air.seed * 7 + 20, size_m=1.1, octave_count=5, fade=0.55)
    density = np.clip((puffs + air.cloud_cover - 0.55) / 0.35, 0, 1) * np.clip(height * 7 - 0.35, 0, 1)
    white = 0.42 * sun + 0.8 * np.array(air.horizon_rgb)
    return color + (0.85 * density)[..., None] * (white - color)


def displayed(linear: Float[np.ndarray, "... 3"]) -> UInt8[np.ndarray, "... 3"]:
    """SRGB bytes of linear light, bright parts bent rather than cut.

    Source: the curve is that of K. Narkowicz, "ACES Filmic Tone Mapping Curve", 2015.
    """
    bright = np.maximum(linear, 0) * 0.85
    return srgb_of(bright * (2.51 * bright + 0.03) / (bright * (2.43 * bright + 0.59) + 0.14))


def srgb_of(linear: Float[np.ndarray, "... 3"]) -> UInt8[np.ndarray, "... 3"]:
    """SRGB bytes of linear light or of reflected shares of it (IEC 61966-2-1); what is outside [0, 1] is cut."""
    inside = np.clip(linear, 0, 1)
    shares = np.where(inside <= 0.0031308, inside * 12.92, 1.055 * inside ** (1 / 2.4) - 0.055)
    return np.rint(255 * shares).astype(np.uint8)


def _height_map(item: Patch) -> Float[np.ndarray, "R C"]:
    """The highest thing in each cell."""
    side = round(2 * _MAP_REACH_M / _CELL_M)
    cells = np.floor((item.vertices_m[:, [0, 2]] + _MAP_REACH_M) / _CELL_M).astype(int)
    is_inside = np.asarray(((cells >= 0) & (cells < side)).all(axis=1))
    heights = np.full(side * side, -np.inf)
    code = cells[is_inside, 0] * side + cells[is_inside, 1]
    order = np.argsort(item.vertices_m[is_inside, 1], kind="stable")
    heights[code[order]] = item.vertices_m[is_inside, 1][order]
    return heights.reshape(side, side)


def _look_up(points: np.ndarray, heights: np.ndarray) -> np.ndarray:
    side = len(heights)
    cells = np.floor((points[:, [0, 2]] + _MAP_REACH_M) / _CELL_M).astype(int)
    is_inside = np.asarray(((cells >= 0) & (cells < side)).all(axis=1))
    cells = np.where(is_inside[:, None], cells, 0)
    return np.where(is_inside, heights[cells[:, 0], cells[:, 1]], -np.inf)


def _sees(points: np.ndarray, normals: np.ndarray, towards: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """1 where nothing stands between a corner and a direction, 0 where something does, and in between where it only just does."""
    # The map knows no eaves: rays from walls start outside them.
    away_m = np.where(np.abs(normals[:, 1:2]) < 0.5, _EAVES_M, 0.3)
    start = points + away_m * normals + np.array([0.0, 0.12, 0.0])
    clear = np.ones(len(points))
    for distance_m in _RAY_STEPS_M:
        place = start + towards * distance_m
        over = place[:, 1] - _look_up(place, heights)
        clear = np.minimum(clear, np.clip(1 + over / 0.25, 0, 1))
    return clear


def _open_sky(points: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """Share of the sky that what stands around leaves free."""
    taken = np.zeros(len(points))
    for i_direction in range(_SKY_DIRECTIONS):
        angle = 2 * np.pi * (i_direction + 0.5) / _SKY_DIRECTIONS
        towards = np.array([np.cos(angle), 0.0, np.sin(angle)])
        highest = np.zeros(len(points))
        for step_m in _SKY_STEPS_M:
            rise = _look_up(points + towards * step_m, heights) - points[:, 1] - 0.15
            highest = np.maximum(
                highest, np.where(np.isfinite(rise), rise, 0) / np.hypot(step_m, np.maximum(rise, 0.01))
            )
        taken += np.clip(highest, 0, 1) ** 2 / _SKY_DIRECTIONS
    return np.clip(1 - 0.85 * taken, 0.12, 1)


def _triple(values: np.ndarray) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
