"""The ground: how high it is, what covers it, where the lake and the path are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from generation_service.core.procedural.attributes import Ground, Terrain, WorldAttributes
from generation_service.core.procedural.noise import layered_noise, noise
from generation_service.core.procedural.shapes import Patch, grid_faces, normals_of, patch

# Half the side of the part with fine corners, and of all; beyond it haze takes the land in.
DETAIL_REACH_M, REACH_M = 21.0, 130.0
_STEP_M = 0.17
_OUTER_STEPS = 34
_CLEARING_M = 11.0
_WATER_STEP_M = 0.2
_PATH_WIDTH_M = 1.0
_RELIEF_M = {Terrain.FLAT: 0.35, Terrain.HILLS: 2.2, Terrain.MOUNTAINS: 2.6}
_RIM_M = {Terrain.FLAT: 0.0, Terrain.HILLS: 5.0, Terrain.MOUNTAINS: 34.0}
_LAKE_RADIUS_M, _LAKE_DEPTH_M, _WATER_LEVEL_M = 7.0, 2.4, -0.55


@dataclass(frozen=True, kw_only=True)
class Land:
    """The ground of one world; the same attributes and seed are the same ground.

    Attributes:
        attributes: Of the world.
        seed: Of the world.
        lake_xz_m: The lake's middle, or None.
        path_angle_rad: Where the path through the middle leads.
    """

    attributes: WorldAttributes
    seed: int
    lake_xz_m: tuple[float, float] | None
    path_angle_rad: float

    @classmethod
    def of(cls, attributes: WorldAttributes, seed: int) -> Land:
        """Draws what is left to chance."""
        rng = np.random.default_rng([seed, 1])
        angle = float(rng.uniform(0, 2 * np.pi))
        beside = angle + np.pi / 2 + float(rng.uniform(-0.3, 0.3))
        distance_m = float(rng.uniform(10, 12))
        lake = (distance_m * float(np.cos(beside)), distance_m * float(np.sin(beside)))
        return cls(
            attributes=attributes,
            seed=seed,
            lake_xz_m=lake if attributes.has_water else None,
            path_angle_rad=angle,
        )

    @property
    def water_level_m(self) -> float | None:
        """Height of the lake's surface."""
        return None if self.lake_xz_m is None else _WATER_LEVEL_M

    def heights_m(self, xz_m: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, ...]:
        """Height of the ground at places."""
        terrain = self.attributes.terrain
        distance = np.linalg.norm(xz_m, axis=-1)
        hills = layered_noise(xz_m, seed=self.seed * 7 + 1, size_m=13, octave_count=5, fade=0.45)
        bumps = layered_noise(xz_m, seed=self.seed * 7 + 2, size_m=1.4, octave_count=3)
        wild = _smooth((distance - _CLEARING_M * 0.5) / _CLEARING_M)
        heights = _RELIEF_M[terrain] * hills * (0.12 + 0.88 * wild) + 0.045 * bumps
        ridges = 1 - np.abs(layered_noise(xz_m, seed=self.seed * 7 + 3, size_m=34, octave_count=6, fade=0.5))
        heights = heights + _RIM_M[terrain] * _smooth((distance - 15) / 45) * ridges**2
        if self.lake_xz_m is not None:
            from_lake = np.linalg.norm(xz_m - np.array(self.lake_xz_m), axis=-1)
            shore = 1 + 0.22 * layered_noise(xz_m, seed=self.seed * 7 + 4, size_m=5, octave_count=3)
            basin = _smooth(1.35 - from_lake / (_LAKE_RADIUS_M * shore))
            heights = heights * (1 - basin) - _LAKE_DEPTH_M * basin**1.5
        return heights

    def path_distances_m(self, xz_m: Float[np.ndarray, "... 2"]) -> Float[np.ndarray, ...]:
        """How far places are from the middle of the path."""
        along, across = self._path_frame(xz_m)
        return np.abs(across - self._path_bend(along))

    def path_points_m(self, count: int, *, reach_m: float) -> Float[np.ndarray, "count 3"]:
        """Places on the path, on the ground."""
        along = np.linspace(-reach_m, reach_m, count)
        across = self._path_bend(along)
        forward = np.array([np.cos(self.path_angle_rad), np.sin(self.path_angle_rad)])
        xz = along[:, None] * forward + across[:, None] * np.array([-forward[1], forward[0]])
        return np.stack([xz[:, 0], self.heights_m(xz), xz[:, 1]], axis=1)

    def is_free(self, xz_m: Float[np.ndarray, " 2"], *, margin_m: float) -> bool:
        """Whether something may stand there: not in the lake, not on the path."""
        is_dry = self.water_level_m is None or bool(self.heights_m(xz_m) > self.water_level_m + 0.35)
        return is_dry and bool(self.path_distances_m(xz_m) > margin_m + _PATH_WIDTH_M)

    def ground_patch(self) -> Patch:
        """The ground, finer in the middle."""
        inner = np.linspace(-DETAIL_REACH_M, DETAIL_REACH_M, round(2 * DETAIL_REACH_M / _STEP_M) + 1)
        ratio = (REACH_M / DETAIL_REACH_M) ** (1 / _OUTER_STEPS)
        outer = DETAIL_REACH_M * ratio ** np.arange(1, _OUTER_STEPS + 1)
        axis = np.concatenate([-outer[::-1], inner, outer])
        xz = np.stack(np.meshgrid(axis, axis, indexing="xy"), axis=-1).reshape(-1, 2)
        heights = self.heights_m(xz)
        vertices = np.stack([xz[:, 0], heights, xz[:, 1]], axis=1)
        faces = grid_faces(len(axis), len(axis))
        return patch(vertices, faces, self._albedo(xz, heights, normals_of(vertices, faces)))

    def water_patch(self) -> Patch | None:
        """The lake's surface: ripples, and the sky in them."""
        if self.lake_xz_m is None:
            return None
        reach_m = _LAKE_RADIUS_M * 1.9
        axis = np.linspace(-reach_m, reach_m, round(2 * reach_m / _WATER_STEP_M) + 1)
        xz = np.stack(np.meshgrid(axis, axis, indexing="xy"), axis=-1).reshape(-1, 2) + np.array(self.lake_xz_m)
        depth = _WATER_LEVEL_M - self.heights_m(xz)
        ripples = layered_noise(xz * [1.0, 1.7], seed=self.seed * 7 + 5, size_m=1.1, octave_count=3)
        vertices = np.stack([xz[:, 0], _WATER_LEVEL_M + 0.012 * ripples, xz[:, 1]], axis=1)
        shallow = np.exp(-np.maximum(depth, 0) * 2.2)[:, None]
        deep_rgb, shallow_rgb = np.array([0.035, 0.11, 0.15]), np.array([0.16, 0.27, 0.24])
        albedo = deep_rgb + shallow * (shallow_rgb - deep_rgb) + 0.09 * np.maximum(ripples, 0)[:, None]
        if self.attributes.ground is Ground.SNOW:  # ice
            albedo = 0.45 + 0.3 * albedo + 0.08 * ripples[:, None]
        faces = grid_faces(len(axis), len(axis))
        # Only where the lake is: under the land nobody sees it.
        is_wet = (depth > -0.05)[faces].any(axis=1)
        return _without_unused(patch(vertices, faces[is_wet], albedo))

    def _albedo(self, xz: np.ndarray, heights: np.ndarray, normals: np.ndarray) -> np.ndarray:
        wide = layered_noise(xz, seed=self.seed * 7 + 10, size_m=9, octave_count=3)[:, None]
        fine = layered_noise(xz, seed=self.seed * 7 + 11, size_m=0.9, octave_count=2, fade=0.8)[:, None]
        grain = noise(xz / 0.24, seed=self.seed * 7 + 12)[:, None]
        tufts = np.maximum(0, noise(xz / 0.55, seed=self.seed * 7 + 13) - 0.35)[:, None]
        match self.attributes.ground:
            case Ground.GRASS:
                color = np.array([0.13, 0.23, 0.05]) + wide * np.array([0.06, 0.035, 0.012])
                color = color * (1 + 0.45 * fine + 0.35 * grain) + tufts * np.array([0.22, 0.2, 0.02])
                flowers = noise(xz / 0.3, seed=self.seed * 7 + 14)[:, None] > 0.72
                color = np.where(flowers & (wide > 0.1), [0.62, 0.55, 0.25], color)
            case Ground.SAND:
                waves = np.sin(xz[:, :1] * 3.1 + xz[:, 1:] * 1.3 + 3 * wide)
                color = np.array([0.52, 0.38, 0.21]) * (1 + 0.16 * wide + 0.2 * fine + 0.2 * grain + 0.07 * waves)
                color = color - tufts * np.array([0.3, 0.2, 0.12])
            case Ground.SNOW:
                color = np.array([0.78, 0.82, 0.88]) * (1 + 0.06 * wide + 0.07 * fine + 0.06 * grain)
                color = np.where(tufts > 0.2, [0.22, 0.2, 0.12], color)
        rock = layered_noise(xz, seed=self.seed * 7 + 15, size_m=2.5, octave_count=4, fade=0.7)[:, None]
        steepness = _smooth((0.83 - normals[:, 1]) / 0.13 + 0.4 * rock[:, 0])[:, None]
        color = color + steepness * (np.array([0.27, 0.25, 0.23]) * (1 + 0.6 * rock + 0.25 * grain) - color)
        snow_line = _smooth((heights - 11 + 3 * rock[:, 0]) / 3)[:, None]
        color = color + snow_line * (np.array([0.8, 0.83, 0.88]) * (1 + 0.05 * fine) - color)
        dirt = _smooth((_PATH_WIDTH_M - self.path_distances_m(xz)) / 0.35 + 0.5 + 0.9 * fine[:, 0])[:, None]
        pebbles = np.array([0.36, 0.28, 0.19]) * (1 + 0.35 * grain + 0.3 * fine)
        color = color + dirt * (pebbles - color)
        if self.lake_xz_m is not None:
            beach = _smooth((_WATER_LEVEL_M + 0.5 - heights) / 0.35 + 0.4 * fine[:, 0])[:, None]
            color = color + beach * (np.array([0.42, 0.35, 0.24]) * (1 + 0.3 * grain) - color)
        return np.clip(color, 0.01, 0.95)

    def _path_frame(self, xz: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cosine, sine = np.cos(self.path_angle_rad), np.sin(self.path_angle_rad)
        return xz[..., 0] * cosine + xz[..., 1] * sine, xz[..., 1] * cosine - xz[..., 0] * sine

    def _path_bend(self, along: np.ndarray) -> np.ndarray:
        return 1.6 * np.sin(along / 5.5 + self.seed % 7) + 0.7 * np.sin(along / 2.3)


def _smooth(share: np.ndarray) -> np.ndarray:
    inside = np.clip(share, 0, 1)
    return inside * inside * (3 - 2 * inside)


def _without_unused(item: Patch) -> Patch:
    used, faces = np.unique(item.faces, return_inverse=True)
    return Patch(
        vertices_m=item.vertices_m[used],
        faces=faces.reshape(-1, 3),
        albedo=item.albedo[used],
        glow=item.glow[used],
        occlusion=item.occlusion[used],
    )
