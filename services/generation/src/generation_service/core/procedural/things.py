"""What stands on the ground: houses, trees, rocks."""

from __future__ import annotations

import numpy as np

from generation_service.core.procedural.attributes import DayTime, Foliage, Ground, WorldAttributes
from generation_service.core.procedural.land import Land
from generation_service.core.procedural.noise import layered_noise, noise
from generation_service.core.procedural.shapes import Patch, ball, grid_faces, joined, patch, sheet, tube

_WALL_STEP_M = 0.11
_ROOF_STEP_M = 0.13
_HOUSE_REACH_M, _TREE_REACH_M = 12.0, 20.0
_ROCK_COUNT = 16
_TRIES = 400
_UP = np.array([0.0, 1.0, 0.0])
_WALLS = np.array([[0.72, 0.64, 0.5], [0.66, 0.4, 0.27], [0.78, 0.75, 0.7], [0.42, 0.27, 0.15], [0.7, 0.55, 0.33]])
_ROOFS = np.array([[0.36, 0.11, 0.07], [0.22, 0.2, 0.22], [0.3, 0.17, 0.1], [0.14, 0.2, 0.26]])
_LEAVES = {
    Foliage.GREEN: np.array([[0.1, 0.24, 0.05], [0.16, 0.28, 0.06], [0.07, 0.2, 0.06]]),
    Foliage.AUTUMN: np.array([[0.5, 0.2, 0.03], [0.58, 0.33, 0.05], [0.4, 0.09, 0.04], [0.3, 0.26, 0.05]]),
    Foliage.PINE: np.array([[0.05, 0.14, 0.07], [0.06, 0.17, 0.09]]),
}


def things_on(land: Land) -> list[Patch]:
    """Everything that stands on the ground; houses first, so that trees keep away from them."""
    attributes = land.attributes
    rng = np.random.default_rng([land.seed, 2])
    taken: list[tuple[np.ndarray, float]] = []
    patches: list[Patch] = []
    for _ in range(attributes.building_count):
        place = _free_place(land, rng, taken, radius_m=4.6, reach_m=_HOUSE_REACH_M, nearest_m=5.5)
        if place is not None:
            patches.append(_house(land, place, rng))
    for _ in range(attributes.tree_count):
        place = _free_place(land, rng, taken, radius_m=1.5, reach_m=_TREE_REACH_M, nearest_m=3.5)
        if place is not None:
            patches.append(_tree(land, place, rng))
    for _ in range(_ROCK_COUNT):
        place = _free_place(land, rng, taken, radius_m=0.7, reach_m=_TREE_REACH_M, nearest_m=2.5)
        if place is not None:
            patches.append(_rock(land, place, rng))
    return patches


def _free_place(
    land: Land,
    rng: np.random.Generator,
    taken: list[tuple[np.ndarray, float]],
    *,
    radius_m: float,
    reach_m: float,
    nearest_m: float,
) -> np.ndarray | None:
    """A place that nothing else takes, by trying; None where there is no room."""
    for _ in range(_TRIES):
        distance = np.sqrt(rng.uniform(nearest_m**2, reach_m**2))
        angle = rng.uniform(0, 2 * np.pi)
        place = distance * np.array([np.cos(angle), np.sin(angle)])
        is_apart = all(np.linalg.norm(place - other) > radius_m + other_m for other, other_m in taken)
        if is_apart and land.is_free(place, margin_m=0.8 * radius_m):
            taken.append((place, radius_m))
            return place
    return None


def _house(land: Land, place: np.ndarray, rng: np.random.Generator) -> Patch:
    """A house with a gable roof, its door towards the middle of the world."""
    width, depth = rng.uniform(4.0, 5.8), rng.uniform(3.6, 4.8)
    height = rng.uniform(2.5, 2.9) * (1 if rng.random() < 0.65 else 1.85)
    rise = rng.uniform(0.45, 0.75) * depth
    towards = -place / np.linalg.norm(place)
    turn = np.arctan2(towards[0], towards[1]) + rng.uniform(-0.35, 0.35)
    side = np.array([np.cos(turn), 0.0, -np.sin(turn)])
    front = np.array([np.sin(turn), 0.0, np.cos(turn)])
    around = place + np.array([[a, b] for a in (-0.5, 0.5) for b in (-0.5, 0.5)]) * [width, depth]
    floor_m = float(land.heights_m(around).min()) - 0.25
    middle = np.array([place[0], floor_m, place[1]])
    look = _Look(land.attributes, rng)
    half_w, half_d = 0.5 * width * side, 0.5 * depth * front
    parts = [
        look.wall(middle - half_w + half_d, width * side, height, has_door=True),
        look.wall(middle + half_w - half_d, -width * side, height, has_door=False),
        look.wall(middle + half_w + half_d, -depth * front, height, rise_m=rise, has_door=False),
        look.wall(middle - half_w - half_d, depth * front, height, rise_m=rise, has_door=False),
    ]
    eaves, overhang = 0.35, 0.4
    ridge = middle + (height + rise) * _UP
    slope = np.hypot(0.5 * depth, rise)
    for sign in (1.0, -1.0):
        down = (sign * 0.5 * depth * front - rise * _UP) * (1 + eaves / slope)
        along = sign * (width + 2 * overhang) * side
        parts.append(look.roof(ridge - 0.5 * along + 0.06 * _UP + down, along, -down))
    chimney = middle + 0.22 * width * side + 0.2 * depth * front + (height + 0.35 * rise) * _UP
    parts += look.chimney(chimney, side, front, 0.8 * rise + 0.5)
    return joined(parts)


class _Look:
    """Colours of one house."""

    def __init__(self, attributes: WorldAttributes, rng: np.random.Generator) -> None:
        self._seed = int(rng.integers(1 << 30))
        self._wall_rgb = _WALLS[rng.integers(len(_WALLS))]
        self._roof_rgb = _ROOFS[rng.integers(len(_ROOFS))]
        self._is_wood = bool(rng.random() < 0.4)
        self._has_snow = attributes.ground is Ground.SNOW
        self._lit = {DayTime.NIGHT: 0.9, DayTime.EVENING: 0.5, DayTime.MORNING: 0.12, DayTime.NOON: 0.0}[
            attributes.day_time
        ]
        self._rng = rng

    def wall(
        self, origin: np.ndarray, along: np.ndarray, height_m: float, *, has_door: bool, rise_m: float = 0.0
    ) -> Patch:
        length = float(np.linalg.norm(along))
        corners, faces, uv = sheet(origin, along, height_m * _UP, step_m=_WALL_STEP_M)
        # A gable's wall is higher towards its middle.
        top = height_m + rise_m * (1 - np.abs(2 * uv[:, 0] / length - 1))
        v = uv[:, 1] * top / height_m
        corners = corners + (v - uv[:, 1])[:, None] * _UP
        u = uv[:, 0]
        color = self._wall_color(u, v)
        base = v < 0.55
        stones = noise(np.stack([u / 0.4, v / 0.25], -1), seed=self._seed + 1)
        color = np.where(base[:, None], np.array([0.3, 0.28, 0.26]) * (1 + 0.4 * stones[:, None]), color)
        glow = np.zeros_like(color)
        for storey_m in np.arange(0, height_m - 1.5, 2.5):
            self._windows(color, glow, u, v - storey_m, length, has_door=has_door and storey_m == 0)
        if rise_m:
            is_round = np.hypot(u - length / 2, v - height_m - 0.25 * rise_m) < 0.3
            color[is_round], glow[is_round] = [0.05, 0.06, 0.08], self._lit * np.array([0.9, 0.55, 0.2])
        edge = np.minimum(u, length - u) < 0.14
        color[edge & ~base] = np.array([0.3, 0.2, 0.12])
        return patch(corners, faces, color, glow=glow, occlusion=0.62 + 0.38 * np.clip(v / 1.2, 0, 1))

    def _wall_color(self, u: np.ndarray, v: np.ndarray) -> np.ndarray:
        place = np.stack([u, v], -1)
        stains = layered_noise(place, seed=self._seed + 2, size_m=1.1, octave_count=4, fade=0.75)[:, None]
        color = self._wall_rgb * (1 + 0.24 * stains)
        if self._is_wood:
            plank = np.floor(v / 0.22)
            tint = noise(np.stack([plank * 7.3, np.floor(u / 1.7) * 3.1], -1), seed=self._seed + 3)[:, None]
            gap = ((v / 0.22) % 1 < 0.3)[:, None]
            return color * (1 + 0.22 * tint) * np.where(gap, 0.72, 1.0)
        row = np.floor(v / 0.22)
        column = np.floor(u / 0.44 + 0.5 * (row % 2))
        tint = noise(np.stack([row * 5.7, column * 3.3], -1), seed=self._seed + 4)[:, None]
        return color * (1 + 0.14 * tint)

    def _windows(
        self, color: np.ndarray, glow: np.ndarray, u: np.ndarray, v: np.ndarray, length: float, *, has_door: bool
    ) -> None:
        count = max(1, int(length / 1.7))
        for i_window in range(count):
            middle = length * (i_window + 0.5) / count
            if has_door and i_window == count // 2:
                self._frame(color, np.abs(u - middle), np.abs(v - 1.05), (0.5, 1.05), np.array([0.24, 0.11, 0.05]))
                continue
            is_lit = self._rng.random() < self._lit
            pane = np.array([0.07, 0.1, 0.14])
            inside = self._frame(color, np.abs(u - middle), np.abs(v - 1.55), (0.45, 0.55), pane)
            cross = inside & ((np.abs(u - middle) < 0.06) | (np.abs(v - 1.55) < 0.06))
            color[cross] = [0.8, 0.78, 0.72]
            if is_lit:
                glow[inside & ~cross] = [1.0, 0.62, 0.24]

    def _frame(
        self, color: np.ndarray, du: np.ndarray, dv: np.ndarray, half_m: tuple[float, float], fill: np.ndarray
    ) -> np.ndarray:
        outer = (du < half_m[0] + 0.12) & (dv < half_m[1] + 0.12)
        inside = (du < half_m[0]) & (dv < half_m[1])
        color[outer] = [0.75, 0.72, 0.65]
        color[inside] = fill
        return inside

    def roof(self, origin: np.ndarray, along: np.ndarray, up_slope: np.ndarray) -> Patch:
        corners, faces, uv = sheet(origin, along, up_slope, step_m=_ROOF_STEP_M)
        row = np.floor(uv[:, 1] / 0.3)
        column = np.floor(uv[:, 0] / 0.34 + 0.5 * (row % 2))
        tint = noise(np.stack([row * 3.7, column * 5.1], -1), seed=self._seed + 5)[:, None]
        moss = layered_noise(uv, seed=self._seed + 6, size_m=1.6, octave_count=4, fade=0.7)[:, None]
        lip = ((uv[:, 1] / 0.3) % 1 < 0.35)[:, None]
        color = self._roof_rgb * (1 + 0.4 * tint + 0.3 * moss) * np.where(lip, 0.6, 1.0)
        color = np.where(moss > 0.42, [0.16, 0.19, 0.08], color)
        if self._has_snow:
            color = np.where(moss > -0.3, np.array([0.8, 0.84, 0.9]) * (1 + 0.05 * tint), color)
        return patch(corners, faces, color)

    def chimney(self, base: np.ndarray, side: np.ndarray, front: np.ndarray, height_m: float) -> list[Patch]:
        parts: list[Patch] = []
        for normal, across in ((front, side), (-front, -side), (side, -front), (-side, front)):
            origin = base + 0.3 * normal - 0.3 * across
            corners, faces, uv = sheet(origin, 0.6 * across, height_m * _UP, step_m=0.1)
            brick = noise(
                np.stack([np.floor(uv[:, 1] / 0.12) * 3.3, np.floor(uv[:, 0] / 0.2) * 5.9], -1), seed=self._seed
            )
            parts.append(patch(corners, faces, np.array([0.38, 0.17, 0.11]) * (1 + 0.4 * brick[:, None])))
        corners, faces, _ = sheet(
            base - 0.3 * side + 0.3 * front + height_m * _UP, 0.6 * side, -0.6 * front, step_m=0.1
        )
        return [*parts, patch(corners, faces, np.full(3, 0.04))]


def _tree(land: Land, place: np.ndarray, rng: np.random.Generator) -> Patch:
    foot = np.array([place[0], float(land.heights_m(place)) - 0.1, place[1]])
    is_pine = land.attributes.foliage is Foliage.PINE
    height = rng.uniform(3.6, 6.4) if is_pine else rng.uniform(2.8, 4.8)
    lean = np.array([rng.normal(0, 0.12), 1.0, rng.normal(0, 0.12)])
    seed = int(rng.integers(1 << 30))
    trunk_top = foot + lean * height * (0.85 if is_pine else 0.6)
    corners, faces = tube(foot, trunk_top, (0.06 * height**0.9, 0.03 * height**0.7), sides=9, rings=18)
    bark = layered_noise(corners * [4, 0.7, 4], seed=seed, size_m=0.8, octave_count=3)[:, None]
    parts = [patch(corners, faces, np.array([0.2, 0.13, 0.08]) * (1 + 0.55 * bark))]
    leaves = _LEAVES[land.attributes.foliage]
    color = leaves[rng.integers(len(leaves))]
    has_snow = land.attributes.ground is Ground.SNOW
    crown = _pine_crown(foot, lean, height, seed) if is_pine else _leafy_crown(trunk_top, height, rng, seed)
    for corners, faces, depth in crown:
        parts.append(_foliage(corners, faces, depth, color, seed, has_snow=has_snow))
    return joined(parts)


def _foliage(
    corners: np.ndarray, faces: np.ndarray, depth: np.ndarray, color: np.ndarray, seed: int, *, has_snow: bool
) -> Patch:
    """Leaves: spots of light and dark, darker in the folds."""
    spots = layered_noise(corners, seed=seed + 1, size_m=0.5, octave_count=2, fade=0.9)[:, None]
    albedo = color * (1 + 0.75 * spots) * (0.55 + 0.9 * depth[:, None])
    if has_snow:
        is_white = (depth > 0.45) & (spots[:, 0] > -0.35)
        albedo = np.where(is_white[:, None], [0.76, 0.8, 0.86], albedo)
    return patch(corners, faces, albedo, occlusion=0.5 + 0.5 * depth)


def _leafy_crown(top: np.ndarray, height: float, rng: np.random.Generator, seed: int) -> list[tuple[np.ndarray, ...]]:
    """Balls of leaves around the end of the trunk."""
    directions, faces = ball(3)
    parts: list[tuple[np.ndarray, ...]] = []
    for i_ball in range(5):
        radius = height * rng.uniform(0.2, 0.3)
        offset = rng.normal(size=3) * [0.17, 0.09, 0.17] * height if i_ball else np.zeros(3)
        middle = top + offset + 0.12 * height * _UP
        dents = layered_noise(directions * radius + middle, seed=seed + i_ball, size_m=0.75, octave_count=3, fade=0.7)
        corners = middle + directions * (radius * (1 + 0.5 * dents))[:, None] * [1, 0.85, 1]
        depth = np.clip(0.55 + 0.9 * dents, 0, 1) * (0.65 + 0.35 * directions[:, 1])
        parts.append((corners, faces, depth))
    return parts


def _pine_crown(foot: np.ndarray, lean: np.ndarray, height: float, seed: int) -> list[tuple[np.ndarray, ...]]:
    """Skirts of needles, one over the other."""
    parts: list[tuple[np.ndarray, ...]] = []
    for i_skirt in range(6):
        low = 0.2 + 0.125 * i_skirt
        radius = height * 0.3 * (1.08 - low)
        sides, rings = 30, 8
        angles = np.arange(sides + 1) / sides * 2 * np.pi
        shares = np.linspace(0, 1, rings)
        ragged = noise(np.stack([np.cos(angles) * 4, np.sin(angles) * 4 + 9 * i_skirt], -1), seed=seed)
        reach = radius * (1 - shares[:, None]) * (1 + 0.4 * ragged)
        droop = 0.13 * height * shares[:, None] ** 0.8 + 0.05 * height * ragged * (1 - shares[:, None])
        circle = np.stack([reach * np.cos(angles), low * height + 1.35 * droop, reach * np.sin(angles)], axis=-1)
        corners = circle.reshape(-1, 3)
        corners = foot + corners + (lean - _UP) * corners[:, 1:2]
        depth = np.broadcast_to(np.clip(0.85 - 0.7 * shares[:, None] + 0.3 * ragged, 0, 1), (rings, sides + 1))
        parts.append((corners, grid_faces(rings, sides + 1), depth.reshape(-1)))
    return parts


def _rock(land: Land, place: np.ndarray, rng: np.random.Generator) -> Patch:
    directions, faces = ball(3)
    size = rng.uniform(0.25, 0.75) * np.array([1, rng.uniform(0.5, 0.8), 1])
    seed = int(rng.integers(1 << 30))
    dents = layered_noise(directions, seed=seed, size_m=0.9, octave_count=4, fade=0.6)
    middle = np.array([place[0], float(land.heights_m(place)), place[1]])
    corners = middle + directions * (1 + 0.4 * dents)[:, None] * size
    lichen = layered_noise(corners, seed=seed + 1, size_m=0.3, octave_count=3, fade=0.8)[:, None]
    color = np.array([0.33, 0.31, 0.29]) * (1 + 0.5 * lichen)
    color = np.where(lichen > 0.38, [0.4, 0.42, 0.22], color)
    if land.attributes.ground is Ground.SNOW:
        color = np.where(directions[:, 1:2] + 0.4 * lichen > 0.45, [0.8, 0.84, 0.9], color)
    return patch(corners, faces, color, occlusion=np.clip(0.75 + 0.35 * directions[:, 1], 0.4, 1))
