"""Procedural worlds: words and attributes, the same seed the same world, surfaces that are in order, cameras that see them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generation_service.core.procedural import (
    DayTime,
    Foliage,
    Ground,
    ProceduralScene,
    Terrain,
    Weather,
    WorldAttributes,
    attributes_from_words,
    caption,
    displayed,
    draw_attributes,
    gaussians_on,
    hazed,
    make_scene,
    orbit,
    sky_rgb,
    walk,
)
from generation_service.core.procedural.noise import layered_noise, noise
from generation_service.core.procedural.shapes import ball, grid_faces, normals_of, sheet, tube
from praxiscope_worlds import SH_C0


@pytest.fixture(scope="module")
def scene() -> ProceduralScene:
    return make_scene(WorldAttributes(building_count=2, tree_count=4), seed=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a snowy mountain village at night", {"ground": Ground.SNOW, "terrain": Terrain.MOUNTAINS, "building_count": 8, "day_time": DayTime.NIGHT}),
        ("Three houses by a lake, foggy morning", {"building_count": 3, "has_water": True, "weather": Weather.FOG, "day_time": DayTime.MORNING}),
        ("autumn forest without water", {"foliage": Foliage.AUTUMN, "tree_count": 70, "has_water": False}),
        ("no houses, no trees, overcast", {"building_count": 0, "tree_count": 0, "weather": Weather.OVERCAST}),
        ("a flat desert at noon", {"ground": Ground.SAND, "terrain": Terrain.FLAT, "day_time": DayTime.NOON}),
        ("9999 houses and 300 trees", {"building_count": 12, "tree_count": 80}),
        ("a few pines", {"foliage": Foliage.PINE, "tree_count": 5}),
    ],
)  # fmt: skip
def test_words_become_attributes(text: str, expected: dict[str, object]) -> None:
    attributes = attributes_from_words(text, seed=1)
    assert {name: getattr(attributes, name) for name in expected} == expected


def test_solids_are_the_same_surfaces_before_light_falls_on_them(scene: ProceduralScene) -> None:
    lit, solids = scene.mesh, scene.solids
    np.testing.assert_array_equal(solids.vertices_m, lit.vertices_m)
    np.testing.assert_array_equal(solids.faces, lit.faces)
    assert solids.colors_rgb is not None
    assert lit.colors_rgb is not None
    night = make_scene(replace(scene.attributes, day_time=DayTime.NIGHT), seed=scene.seed)
    np.testing.assert_array_equal(night.solids.colors_rgb, solids.colors_rgb)
    assert lit.colors_rgb.mean() > 2 * night.mesh.colors_rgb.mean()  # type: ignore[union-attr]


def test_what_words_leave_open_comes_of_the_seed() -> None:
    assert attributes_from_words("xyzzy", seed=4) == draw_attributes(4)
    assert len({draw_attributes(seed) for seed in range(20)}) > 15


def test_captions_are_read_back() -> None:
    every = itertools.product(
        Terrain, Ground, (0, 1, 2, 7, 12), (0, 3, 15, 40, 80), Foliage, (True, False), Weather, DayTime
    )
    for terrain, ground, houses, trees, foliage, has_water, weather, day_time in itertools.islice(every, 0, None, 7):
        attributes = WorldAttributes(
            terrain=terrain,
            ground=ground,
            building_count=houses,
            tree_count=trees,
            foliage=foliage,
            has_water=has_water,
            weather=weather,
            day_time=day_time,
        )
        found = attributes_from_words(caption(attributes))
        for name in ("terrain", "ground", "building_count", "has_water", "weather", "day_time"):
            assert getattr(found, name) == getattr(attributes, name), caption(attributes)
        assert (found.tree_count == 0) == (trees == 0)
        assert not trees or found.foliage == foliage


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=400))
def test_any_text_gives_attributes(text: str) -> None:
    assert isinstance(attributes_from_words(text), WorldAttributes)


@pytest.mark.parametrize("changes", [{"building_count": 13}, {"tree_count": -1}, {"tree_count": 81}])
def test_counts_out_of_range_are_refused(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be from 0"):
        WorldAttributes(**changes)  # pyright: ignore[reportArgumentType]


def test_the_same_seed_is_the_same_world_and_another_seed_another(scene: ProceduralScene) -> None:
    again = make_scene(scene.attributes, seed=3)
    assert again.mesh.vertices_m.tobytes() == scene.mesh.vertices_m.tobytes()
    assert again.mesh.colors_rgb is not None
    assert scene.mesh.colors_rgb is not None
    assert again.mesh.colors_rgb.tobytes() == scene.mesh.colors_rgb.tobytes()
    other = make_scene(scene.attributes, seed=4)
    assert other.mesh.vertices_m.tobytes() != scene.mesh.vertices_m.tobytes()


@pytest.mark.parametrize(
    "attributes",
    [
        WorldAttributes(terrain=Terrain.MOUNTAINS, ground=Ground.SNOW, foliage=Foliage.PINE, tree_count=3, building_count=1, day_time=DayTime.NIGHT),
        WorldAttributes(terrain=Terrain.FLAT, ground=Ground.SAND, has_water=False, tree_count=0, building_count=0, weather=Weather.FOG),
    ],
)  # fmt: skip
def test_surfaces_are_in_order(attributes: WorldAttributes) -> None:
    mesh = make_scene(attributes, seed=1).mesh
    assert np.isfinite(mesh.vertices_m).all()
    corners = mesh.vertices_m[mesh.faces].astype(np.float64)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    assert (areas > 0).mean() > 0.98  # the tips of cones are points
    assert mesh.colors_rgb is not None
    assert len(np.unique(mesh.colors_rgb, axis=0)) > 1000
    # The first faces are the ground's: all are seen from above.
    normals = np.cross(corners[:1000, 1] - corners[:1000, 0], corners[:1000, 2] - corners[:1000, 0])
    assert (normals[:, 1] > 0).all()


def test_night_is_darker_than_noon_and_fog_takes_contrast() -> None:
    def mean(attributes: WorldAttributes) -> float:
        colors = make_scene(attributes, seed=2).mesh.colors_rgb
        assert colors is not None
        return float(colors.mean())

    few = {"building_count": 1, "tree_count": 1}
    noon = mean(WorldAttributes(day_time=DayTime.NOON, **few))
    assert mean(WorldAttributes(day_time=DayTime.NIGHT, **few)) < 0.5 * noon
    air = make_scene(WorldAttributes(weather=Weather.FOG, **few), seed=2).air
    black_and_white = np.array([[0.0, 0, 0], [1.0, 1, 1]])
    assert np.ptp(hazed(black_and_white, np.array([40.0, 40.0]), air), axis=0).max() < 0.2


def test_gaussians_lie_on_the_surfaces_and_have_their_colours(scene: ProceduralScene) -> None:
    world = gaussians_on(scene, count=20_000)
    assert len(world) == 20_000
    assert np.isfinite(world.means_m).all()
    colors = 0.5 + SH_C0 * world.sh[:, 0]
    assert colors.min() >= -1e-6
    assert colors.max() <= 1 + 1e-6
    # Flat along their third axis, which is the ground's normal where there is only ground.
    assert (world.log_scales[:, 2] < world.log_scales[:, 0]).all()
    w, x, y, z = world.quaternions_wxyz.T
    third = np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], axis=1)
    far = np.linalg.norm(world.means_m[:, [0, 2]], axis=1) > 24
    assert far.sum() > 500
    heights = scene.land.heights_m(world.means_m[far][:, [0, 2]].astype(np.float64))
    assert np.median(np.abs(heights - world.means_m[far, 1])) < 0.3
    assert (third[far, 1] > 0.2).mean() > 0.99


def test_cameras_are_above_the_ground_and_look_at_the_world(scene: ProceduralScene) -> None:
    cameras = [*orbit(scene, count=7), *walk(scene, count=7)]
    for camera in cameras:
        place = camera.position_m
        assert place[1] > float(scene.land.heights_m(place[[0, 2]])) + 0.5
        assert abs(camera.world_from_camera[1, 0]) < 1e-9  # level: x has no height
        assert camera.world_from_camera[1, 1] < 0  # y points down
    for camera in cameras[:7]:
        ahead = camera.world_from_camera[:3, 2]
        assert ahead @ (-camera.position_m) > 0


def test_the_sky_is_finite_everywhere(scene: ProceduralScene) -> None:
    directions, _ = ball(3)
    colors = sky_rgb(directions, scene.air)
    assert np.isfinite(colors).all()
    assert displayed(colors).dtype == np.uint8


def test_noise_is_smooth_bounded_and_repeats() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-50, 50, (5000, 3))
    values = noise(points, seed=5)
    assert np.array_equal(values, noise(points, seed=5))
    assert np.abs(values).max() <= 1
    assert np.abs(noise(points + 1e-6, seed=5) - values).max() < 1e-4
    assert np.std(values) > 0.2
    assert np.corrcoef(values, noise(points, seed=6))[0, 1] < 0.1
    assert np.abs(layered_noise(points, seed=1, size_m=3, octave_count=4)).max() <= 1


def test_parts_face_outwards() -> None:
    directions, faces = ball(2)
    assert len(faces) == 320
    normals = np.cross(
        directions[faces[:, 1]] - directions[faces[:, 0]], directions[faces[:, 2]] - directions[faces[:, 0]]
    )
    assert (np.einsum("ij,ij->i", normals, directions[faces].mean(axis=1)) > 0).all()
    corners, faces, _ = sheet(np.zeros(3), np.array([2.0, 0, 0]), np.array([0, 1.0, 0]), step_m=0.5)
    assert normals_of(corners, faces) == pytest.approx(np.broadcast_to([0, 0, 1.0], corners.shape))
    corners, faces = tube(np.zeros(3), np.array([0, 2.0, 0]), (1.0, 0.5), sides=8, rings=3)
    outwards = corners[faces].mean(axis=1) * [1, 0, 1]
    normals = np.cross(corners[faces[:, 1]] - corners[faces[:, 0]], corners[faces[:, 2]] - corners[faces[:, 0]])
    assert (np.einsum("ij,ij->i", normals, outwards) > 0).all()
    assert grid_faces(3, 4).shape == (12, 3)
