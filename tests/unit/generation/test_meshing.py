"""Surfaces from pictures of depth: of a ball, whose surface is known, seen by cameras around it."""

from __future__ import annotations

import numpy as np
import pytest

from generation_service.core.errors import NoSurfaceError
from generation_service.core.meshing import Box, DistanceGrid, box_of, simplify
from praxiscope_worlds import Camera, Mesh

RADIUS_M = 0.8
MIDDLE_M = np.array([0.3, -0.2, 0.1])
BOX = Box(low_m=(-1.0, -1.5, -1.2), high_m=(1.6, 1.1, 1.4))
SIZE_PX = 128


def camera_at(position_m: np.ndarray) -> Camera:
    ahead = MIDDLE_M - position_m
    ahead = ahead / np.linalg.norm(ahead)
    right = np.cross(ahead, [0.0, 1.0, 0.1])
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(ahead, right), ahead], axis=1)
    matrix[:3, 3] = position_m
    return Camera(
        width_px=SIZE_PX,
        height_px=SIZE_PX,
        focal_px=(130.0, 130.0),
        centre_px=(SIZE_PX / 2, SIZE_PX / 2),
        world_from_camera=matrix,
    )


def photograph(camera: Camera) -> dict[str, np.ndarray]:
    """What a camera sees of the ball: how far, whether, and a colour that says where on the ball."""
    pixels = (np.stack(np.meshgrid(np.arange(SIZE_PX), np.arange(SIZE_PX)), axis=-1) + 0.5 - SIZE_PX / 2) / 130.0
    rays = np.concatenate([pixels, np.ones((SIZE_PX, SIZE_PX, 1))], axis=-1) @ camera.world_from_camera[:3, :3].T
    offset = camera.position_m - MIDDLE_M
    a, b, c = (rays**2).sum(-1), 2 * rays @ offset, offset @ offset - RADIUS_M**2
    root = b**2 - 4 * a * c
    depth = np.where(root >= 0, (-b - np.sqrt(np.maximum(root, 0))) / (2 * a), np.nan)
    hit = camera.position_m + rays * depth[..., None]
    return {
        "depth_m": depth.astype(np.float32),
        "alpha": np.isfinite(depth).astype(np.float32),
        "color_rgb": np.nan_to_num((hit - MIDDLE_M) / RADIUS_M / 2 + 0.5).astype(np.float32),
    }


def seen_from(positions_m: np.ndarray, voxel_count: int = 64) -> Mesh:
    grid = DistanceGrid(BOX, voxel_count=voxel_count)
    for position in positions_m:
        camera = camera_at(position)
        grid.add(camera, **photograph(camera))
    return grid.surface()


AROUND = MIDDLE_M + 2.5 * np.array(
    [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1], [0.6, 0.6, 0.52], [-0.6, -0.6, -0.52]]
)


def volume_m3(mesh: Mesh) -> float:
    """Positive where faces are counter-clockwise seen from outside."""
    a, b, c = (mesh.vertices_m[mesh.faces[:, i]].astype(np.float64) for i in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def test_a_ball_comes_out_as_a_ball_with_its_colours_and_its_inside_inside() -> None:
    mesh = seen_from(AROUND)
    voxel_m = 2.6 / 64
    radii = np.linalg.norm(mesh.vertices_m - MIDDLE_M, axis=1)
    assert abs(radii - RADIUS_M).mean() < 0.25 * voxel_m
    assert abs(radii - RADIUS_M).max() < 1.5 * voxel_m
    assert volume_m3(mesh) == pytest.approx(4 / 3 * np.pi * RADIUS_M**3, rel=0.03)
    assert mesh.colors_rgb is not None
    expected = ((mesh.vertices_m - MIDDLE_M) / RADIUS_M / 2 + 0.5) * 255
    assert abs(mesh.colors_rgb - expected).mean() < 6
    edges = np.sort(mesh.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).mean() > 0.99, "closed"


def test_what_nobody_saw_is_left_open() -> None:
    half = seen_from(AROUND[:1])
    assert half.vertices_m[:, 0].min() > MIDDLE_M[0] - 0.2, "one camera sees one side"
    assert len(half.faces) < 0.55 * len(seen_from(AROUND).faces)


def test_a_coarser_surface_has_fewer_faces_and_the_same_shape() -> None:
    mesh = seen_from(AROUND)
    coarse = simplify(mesh, max_face_count=600)
    assert len(coarse.faces) <= 660
    assert abs(np.linalg.norm(coarse.vertices_m - MIDDLE_M, axis=1) - RADIUS_M).max() < 0.06
    assert volume_m3(coarse) == pytest.approx(volume_m3(mesh), rel=0.03)
    assert len(simplify(coarse, max_face_count=10_000).faces) == len(coarse.faces)


def test_crumbs_in_the_air_are_left_out() -> None:
    grid = DistanceGrid(BOX, voxel_count=64)
    for position in AROUND:
        camera = camera_at(position)
        seen = photograph(camera)
        if position[2] > 2:  # one camera also sees a speck of nothing
            seen["depth_m"][4:6, 4:6], seen["alpha"][4:6, 4:6] = 2.4, 1.0
        grid.add(camera, **seen)
    assert np.linalg.norm(grid.surface().vertices_m - MIDDLE_M, axis=1).max() < RADIUS_M + 0.1


def test_where_nothing_is_there_is_no_surface() -> None:
    with pytest.raises(NoSurfaceError):
        DistanceGrid(BOX, voxel_count=16).surface()
    camera = camera_at(AROUND[0])
    with pytest.raises(NoSurfaceError):
        box_of(np.zeros((50, 3)), np.full(50, 0.2), (camera,))


def test_the_box_is_around_what_is_solid_and_not_around_the_sky() -> None:
    random = np.random.default_rng(2)
    thing = random.normal(MIDDLE_M, 0.3, (2000, 3))
    sky = random.normal(0, 1, (500, 3))
    sky *= 500.0 / np.linalg.norm(sky, axis=1, keepdims=True)
    haze = random.normal(MIDDLE_M, 3.0, (500, 3))
    positions = np.concatenate([thing, sky, haze])
    opacities = np.concatenate([np.full(2500, 0.9), np.full(500, 0.1)])
    box = box_of(positions, opacities, tuple(camera_at(position) for position in AROUND))
    assert np.all(np.array(box.low_m) < MIDDLE_M - 0.5)
    assert np.all(np.abs(box.size_m()) < 3.0)
