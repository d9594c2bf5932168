"""A small world made of numbers: `model: procedural`. The same attributes and seed give the same world, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from generation_service.core.procedural.attributes import WorldAttributes
from generation_service.core.procedural.land import DETAIL_REACH_M, Land
from generation_service.core.procedural.light import Atmosphere, atmosphere_of, displayed, lit, srgb_of
from generation_service.core.procedural.noise import noise
from generation_service.core.procedural.shapes import joined, normals_of
from generation_service.core.procedural.things import things_on
from praxiscope_worlds import SH_C0, Camera, GaussianWorld, Mesh

_EYE_HEIGHT_M = 1.7
_GRAIN_M, _GRAIN = 0.19, 0.3
# Gaussians overlap their neighbours by so much of their mean distance, and are so flat.
_SPREAD, _FLATNESS = 0.62, 0.12
_OPACITY_LOGIT = 3.0
# Of the land beyond the fine part, whose triangles are large, at most this share of the Gaussians.
_FAR_SHARE = 0.12


@dataclass(frozen=True, kw_only=True, eq=False)
class ProceduralScene:
    """A world and what it was made of.

    Attributes:
        attributes: What was asked for.
        seed: And the rest of it.
        mesh: Surfaces; light is in the colours at corners, haze is not.
        solids: The same surfaces with the colours of what they are made of, before light falls on them; for whoever throws light of their own.
        air: Sun, sky and haze, for who draws it.
        land: The ground, for who walks on it.
    """

    attributes: WorldAttributes
    seed: int
    mesh: Mesh
    solids: Mesh
    air: Atmosphere
    land: Land


def make_scene(attributes: WorldAttributes, *, seed: int) -> ProceduralScene:
    """Makes a world.

    Args:
        attributes: What it is like.
        seed: Draws everything that the attributes leave open; not negative.
    """
    land = Land.of(attributes, seed)
    water = land.water_patch()
    parts = [land.ground_patch(), *([] if water is None else [water]), *things_on(land)]
    whole = joined(parts)
    # No surface is of one colour: what eyes, and whoever compares photos, hold on to.
    grain = noise(whole.vertices_m / _GRAIN_M, seed=seed * 7 + 30)[:, None]
    whole = replace(whole, albedo=np.clip(whole.albedo * (1 + _GRAIN * grain), 0, 1))
    air = atmosphere_of(attributes, seed=seed)
    mesh = Mesh(
        vertices_m=whole.vertices_m.astype(np.float32),
        faces=whole.faces.astype(np.int32),
        colors_rgb=displayed(lit(whole, air)),
    )
    solids = replace(mesh, colors_rgb=srgb_of(whole.albedo))
    return ProceduralScene(attributes=attributes, seed=seed, mesh=mesh, solids=solids, air=air, land=land)


def gaussians_on(scene: ProceduralScene, *, count: int) -> GaussianWorld:
    """Flat Gaussians on the surfaces, evenly by area.

    Args:
        scene: The world.
        count: How many; 200,000 look like the mesh from a few metres away.
    """
    mesh = scene.mesh
    assert mesh.colors_rgb is not None
    rng = np.random.default_rng([scene.seed, 4])
    corners = mesh.vertices_m[mesh.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = 0.5 * np.linalg.norm(normals, axis=1)
    is_far = np.abs(corners.mean(axis=1)[:, [0, 2]]).max(axis=1) > DETAIL_REACH_M
    weights = areas.copy()
    far_area, near_area = areas[is_far].sum(), areas[~is_far].sum()
    if far_area > 0:
        weights[is_far] *= min(1.0, _FAR_SHARE / (1 - _FAR_SHARE) * near_area / far_area)
    chosen = rng.choice(len(areas), size=count, p=weights / weights.sum())
    # Evenly over a triangle (R. Osada et al., "Shape Distributions", 2002).
    root, share = np.sqrt(rng.random(count)), rng.random(count)
    mix = np.stack([1 - root, root * (1 - share), root * share], axis=1)
    means = np.einsum("nk,nkc->nc", mix, corners[chosen])
    colors = np.einsum("nk,nkc->nc", mix, mesh.colors_rgb[mesh.faces[chosen]] / 255)
    smooth = normals_of(mesh.vertices_m.astype(np.float64), mesh.faces)[mesh.faces[chosen]]
    upright = np.einsum("nk,nkc->nc", mix, smooth)
    spread_m = _SPREAD * np.sqrt(areas[chosen] / np.maximum(weights[chosen], 1e-30) * weights.sum() / count)
    scales = np.stack([spread_m, spread_m, _FLATNESS * spread_m], axis=1)
    return GaussianWorld(
        means_m=means.astype(np.float32),
        quaternions_wxyz=_facing(upright).astype(np.float32),
        log_scales=np.log(scales).astype(np.float32),
        opacity_logits=np.full(count, _OPACITY_LOGIT, np.float32),
        sh=((colors - 0.5) / SH_C0).astype(np.float32)[:, None],
    )


def orbit(
    scene: ProceduralScene,
    *,
    count: int,
    radius_m: float = 18.0,
    height_m: float = 6.5,
    width_px: int = 480,
    height_px: int = 320,
) -> list[Camera]:
    """Cameras around the middle, all looking at it.

    Args:
        scene: The world.
        count: How many on the whole turn.
        radius_m: Distance from the middle.
        height_m: Over the ground in the middle; cameras stay above the ground under them.
        width_px: Of the pictures.
        height_px: Of the pictures.
    """
    angles = np.arange(count) / count * 2 * np.pi
    middle_m = float(scene.land.heights_m(np.zeros(2))) + 1.0
    cameras: list[Camera] = []
    for i_camera, angle in enumerate(angles):
        xz = radius_m * np.array([np.cos(angle), np.sin(angle)])
        # A little up and down on the way, so that no two cameras are at one height.
        height = middle_m + height_m + 0.8 * np.sin(2.4 * i_camera)
        height = max(height, float(scene.land.heights_m(xz)) + 1.2)
        place = np.array([xz[0], height, xz[1]])
        cameras.append(looking_at(place, np.array([0.0, middle_m, 0.0]), width_px=width_px, height_px=height_px))
    return cameras


def walk(
    scene: ProceduralScene, *, count: int, reach_m: float = 14.0, width_px: int = 480, height_px: int = 320
) -> list[Camera]:
    """Cameras along the path, at the height of eyes, looking ahead.

    Args:
        scene: The world.
        count: How many.
        reach_m: The path's ends from the middle.
        width_px: Of the pictures.
        height_px: Of the pictures.
    """
    points = scene.land.path_points_m(count + 8, reach_m=reach_m)
    points[:, 1] += _EYE_HEIGHT_M
    if scene.land.water_level_m is not None:
        points[:, 1] = np.maximum(points[:, 1], scene.land.water_level_m + _EYE_HEIGHT_M)
    return [
        looking_at(points[i], points[i + 8] - [0, 0.15, 0], width_px=width_px, height_px=height_px)
        for i in range(count)
    ]


def looking_at(
    place: np.ndarray, target: np.ndarray, *, width_px: int, height_px: int, view_angle_rad: float = 1.05
) -> Camera:
    """A level camera at a place that looks at a target.

    Args:
        place: In the world's frame.
        target: Not straight above or below.
        width_px: Of the picture.
        height_px: Of the picture.
        view_angle_rad: Across the picture's width.
    """
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = place
    focal_px = 0.5 * width_px / float(np.tan(0.5 * view_angle_rad))
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=(focal_px, focal_px),
        centre_px=(width_px / 2, height_px / 2),
        world_from_camera=pose,
    )


def _facing(normals: np.ndarray) -> np.ndarray:
    """Quaternions w, x, y, z that turn z to each normal, the short way."""
    unit = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    # Half-way quaternion (1 + z . n, z x n); where n is -z, half a turn about x.
    halfway = np.stack([1 + unit[:, 2], -unit[:, 1], unit[:, 0], np.zeros(len(unit))], axis=1)
    halfway[halfway[:, 0] < 1e-9] = [0.0, 1.0, 0.0, 0.0]
    return halfway / np.linalg.norm(halfway, axis=1, keepdims=True)
