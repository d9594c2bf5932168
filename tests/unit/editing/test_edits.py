"""What edits do, and that they do it to nothing else."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from editing_service.core import edits
from editing_service.core.colors import base_colors, lab_from_srgb, srgb_from_lab
from editing_service.core.compare import compare
from editing_service.core.consistency import Looks, check_consistency, small_camera
from editing_service.core.edits import (
    Crop,
    Delete,
    Duplicate,
    FillHole,
    Insert,
    LevelGround,
    Operation,
    Recolor,
    Relight,
    RemoveFloaters,
    Surroundings,
    Transform,
    apply,
    may_touch,
)
from editing_service.core.errors import EmptySelectionError, GroundNotFoundError, HoleNotFoundError, InvalidEditError
from editing_service.core.placement import Placement, turn_between
from editing_service.core.recolor import Shift, ToColor
from editing_service.core.relight import Light, normals_of
from editing_service.core.state import ARRAYS, EditState, open_state, rows_differ
from praxiscope_worlds import SH_C0, GaussianWorld, Mesh
from praxiscope_worlds.formats import harmonics
from praxiscope_worlds.kernels import RenderOptions, open_kernels
from tests.support.world_files import camera_in_front, make_world

KERNELS = open_kernels(Path(__file__).parents[3] / ".praxiscope" / "kernels", thread_count=1)
ALONE = Surroundings(viewpoints_m=np.zeros((0, 3)))
TURN = (0.8, 0.3, -0.4, 0.2)


def with_harmonics(world: GaussianWorld, degree: int = 3) -> GaussianWorld:
    random = np.random.default_rng(5)
    sh = random.normal(0, 0.2, (len(world), (degree + 1) ** 2, 3)).astype(np.float32)
    sh[:, 0] = world.sh[:, 0]
    quaternions = random.normal(0, 1, (len(world), 4)).astype(np.float32)
    scales = np.log(random.uniform(0.02, 0.1, (len(world), 3))).astype(np.float32)
    return replace(world, sh=sh, quaternions_wxyz=quaternions, log_scales=scales)


WORLD = with_harmonics(make_world(400))
IS_RIGHT = WORLD.means_m[:, 0] > 0


def plane(count: int = 40, *, height: float = 0.0, spacing: float = 0.05) -> GaussianWorld:
    """A square of grey Gaussians on y = height."""
    x, z = np.meshgrid(np.arange(count) - count / 2, np.arange(count) - count / 2)
    means = np.stack([x.ravel() * spacing, np.full(count * count, height), z.ravel() * spacing], axis=-1)
    grey = make_world(count * count, scale_m=spacing / 2)
    return replace(grey, means_m=means.astype(np.float32), sh=np.zeros((count * count, 1, 3), np.float32))


def all_of(world: GaussianWorld) -> np.ndarray:
    return np.ones(len(world), np.bool_)


def test_delete_and_crop_are_each_others_opposite_and_rows_keep_their_numbers() -> None:
    state = open_state(WORLD)
    deleted, cropped = (apply(state, IS_RIGHT, operation, ALONE).state for operation in (Delete(), Crop()))
    np.testing.assert_array_equal(deleted.is_alive, ~IS_RIGHT)
    np.testing.assert_array_equal(cropped.is_alive, IS_RIGHT)
    assert deleted.rows is state.rows, "nothing is copied"
    assert len(deleted.world()) == deleted.count == (~IS_RIGHT).sum()


def test_a_transform_and_its_inverse_give_the_world_back() -> None:
    state = open_state(WORLD)
    there = Placement(quaternion_wxyz=TURN, scale=2.5, pivot_m=(1, 2, 3))
    w, x, y, z = there.quaternion_wxyz
    back = Placement(quaternion_wxyz=(w, -x, -y, -z), scale=1 / 2.5, pivot_m=(1, 2, 3))
    moved = apply(state, IS_RIGHT, Transform(placement=there), ALONE).state
    assert rows_differ(state, moved).tolist() == IS_RIGHT.tolist()
    again = apply(moved, IS_RIGHT, Transform(placement=back), ALONE).state
    for name in ("means_m", "log_scales", "sh"):
        np.testing.assert_allclose(getattr(again.rows, name), getattr(WORLD, name), atol=2e-5)
    cosines = np.abs(np.einsum("ij,ij->i", again.rows.quaternions_wxyz, WORLD.quaternions_wxyz))
    np.testing.assert_allclose(cosines, np.linalg.norm(WORLD.quaternions_wxyz, axis=1) ** 2, rtol=1e-5)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_colors_turn_with_what_is_turned(degree: int) -> None:
    world = with_harmonics(make_world(20), degree)
    placement = Placement(quaternion_wxyz=TURN)
    turned = apply(open_state(world), all_of(world), Transform(placement=placement), ALONE).state.rows
    directions = np.random.default_rng(1).normal(0, 1, (9, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    before = np.einsum("dk,nkc->dnc", harmonics(directions, degree=degree), world.sh)
    after = np.einsum("dk,nkc->dnc", harmonics(directions @ placement.rotation().T, degree=degree), turned.sh)
    np.testing.assert_allclose(after, before, atol=1e-5)


def test_a_turned_world_looks_like_the_world_from_a_turned_camera() -> None:
    placement = Placement(quaternion_wxyz=TURN, pivot_m=(0, 0, 0))
    turned = apply(open_state(WORLD), all_of(WORLD), Transform(placement=placement), ALONE).state
    camera = camera_in_front()
    turn = np.eye(4)
    turn[:3, :3] = placement.rotation()
    other = replace(camera, world_from_camera=turn @ camera.world_from_camera)
    expected = KERNELS.render(WORLD, camera, RenderOptions()).color_rgb
    np.testing.assert_allclose(KERNELS.render(turned.rows, other, RenderOptions()).color_rgb, expected, atol=2e-3)


def test_floaters_go_and_the_sparse_background_stays() -> None:
    random = np.random.default_rng(4)
    body = random.uniform(-0.5, 0.5, (3000, 3))
    body[:, 1] = 0.02 * random.normal(size=3000)
    strays = random.uniform(2, 4, (15, 3)) * random.choice([-1, 1], (15, 3))
    pair = np.array([[6.0, 6, 6], [6.01, 6, 6]])
    far = random.normal(0, 1, (40, 3))
    far *= 30 / np.linalg.norm(far, axis=1, keepdims=True)
    faint = np.zeros((1, 3))
    means = np.concatenate([body, strays, pair, far, faint]).astype(np.float32)
    world = make_world(len(means), scale_m=0.01)
    scales, logits = world.log_scales.copy(), world.opacity_logits.copy()
    scales[3017:3057] = math.log(12.0)  # a background that is coarse as well as sparse
    scales[-1], logits[-1] = math.log(2.0), -4.0
    state = open_state(replace(world, means_m=means, log_scales=scales, opacity_logits=logits))
    kept = apply(state, np.ones(len(means), np.bool_), RemoveFloaters(), ALONE).state.is_alive
    assert not kept[3000:3017].any(), "strays, and the pair that hides behind each other"
    assert not kept[-1], "large and faint"
    assert kept[3017:3057].all(), "the background touches itself"
    assert kept[:3000].mean() > 0.995
    some = np.arange(len(means)) < 3005
    only = apply(state, some, RemoveFloaters(), ALONE).state.is_alive
    assert only[3005:].all(), "what is not selected stays"


def test_the_ground_becomes_level_and_cameras_go_along() -> None:
    ground, heap = plane(height=0.4), make_world(300)
    means = np.concatenate([ground.means_m, heap.means_m + np.float32([0, 1.5, 0])])
    world = replace(make_world(len(means)), means_m=means.astype(np.float32))
    tilt = Placement(quaternion_wxyz=(math.cos(0.15), math.sin(0.15), 0, 0), translation_m=(1, 2, 3), pivot_m=(0, 0, 0))
    tilted = apply(open_state(world), all_of(world), Transform(placement=tilt), ALONE).state
    level = apply(tilted, tilted.is_alive, LevelGround(seed=7), ALONE)
    np.testing.assert_allclose(level.state.rows.means_m[: len(ground), 1], 0, atol=1e-3)
    assert np.median(level.state.rows.means_m[len(ground) :, 1]) > 1, "up stays up"
    assert "17.2 degrees" in level.summary
    moved = tilted.rows.means_m @ level.state.world_from_base[:3, :3].T + level.state.world_from_base[:3, 3]
    np.testing.assert_allclose(moved, level.state.rows.means_m, atol=1e-4)
    again = apply(tilted, tilted.is_alive, LevelGround(seed=7), ALONE).state
    np.testing.assert_array_equal(again.rows.means_m, level.state.rows.means_m)
    with pytest.raises(GroundNotFoundError):
        apply(open_state(WORLD), all_of(WORLD), LevelGround(tolerance_m=1e-7), ALONE)


def test_turn_between_opposite_directions_is_half_a_turn() -> None:
    for axis in np.eye(3):
        rotation = Placement(quaternion_wxyz=turn_between(axis, -axis)).rotation()
        np.testing.assert_allclose(rotation @ axis, -axis, atol=1e-9)


def test_a_recolored_part_has_the_color_inside_and_no_seam_at_its_border() -> None:
    world = plane(60)
    state, is_in = open_state(world), np.linalg.norm(world.means_m, axis=1) < 1.0
    red = ToColor(color_rgb=(0.8, 0.1, 0.1))
    hard = base_colors(apply(state, is_in, Recolor(to=red, blend_m=0.0), ALONE).state.rows.sh)
    soft = base_colors(apply(state, is_in, Recolor(to=red, blend_m=0.15), ALONE).state.rows.sh)
    np.testing.assert_allclose(hard[is_in], [[0.8, 0.1, 0.1]] * int(is_in.sum()), atol=2e-3)
    np.testing.assert_array_equal(soft[~is_in], base_colors(world.sh)[~is_in])
    radius = np.linalg.norm(world.means_m, axis=1)
    middle, edge = radius < 0.3, is_in & (radius > 0.95)
    np.testing.assert_allclose(soft[middle], hard[middle], atol=0.02)
    assert np.abs(soft[edge, 0] - 0.5).max() < 0.12, "at the border the old colour, or nearly"
    assert np.abs(hard[edge, 0] - 0.5).min() > 0.25
    by_radius = [float(soft[is_in & (radius >= low) & (radius < low + 0.1), 0].mean()) for low in np.arange(0, 1, 0.1)]
    assert all(first >= second - 1e-3 for first, second in itertools.pairwise(by_radius))


def test_the_screened_blend_falls_off_as_its_equation_says() -> None:
    """On a half plane u = u0 exp(-d / length); seeds of a row of Gaussians at known distances."""
    world = plane(60)
    state, is_in = open_state(world), world.means_m[:, 0] > 0
    shift, length = Recolor(to=Shift(lab=(20, 0, 0)), blend_m=0.25), 0.25
    soft = base_colors(apply(state, is_in, shift, ALONE).state.rows.sh)[:, 0]
    whole = base_colors(apply(state, is_in, replace(shift, blend_m=0.0), ALONE).state.rows.sh)[is_in, 0][0]
    inner = np.abs(world.means_m[:, 2]) < 0.5  # away from the ends of the border
    columns = np.unique(world.means_m[is_in, 0])[:10]
    reach = [(whole - soft[inner & (world.means_m[:, 0] == x)].mean()) / (whole - 0.5) for x in columns]
    slope = np.polyfit(columns, np.log(reach), 1)[0]
    assert slope == pytest.approx(-1 / length, rel=0.2)


def test_colors_go_to_lab_and_back() -> None:
    colors = np.random.default_rng(1).random((500, 3))
    np.testing.assert_allclose(srgb_from_lab(lab_from_srgb(colors)), colors, atol=1e-6)
    np.testing.assert_allclose(lab_from_srgb(np.array([1.0, 1, 1])), [100, 0, 0], atol=1e-3)
    # sRGB's red, from the defining equations
    np.testing.assert_allclose(lab_from_srgb(np.array([1.0, 0, 0])), [53.24, 80.09, 67.20], atol=0.02)


def test_copies_come_behind_and_the_original_stays() -> None:
    state = open_state(WORLD)
    copied = apply(state, IS_RIGHT, Duplicate(placement=Placement(translation_m=(0, 5, 0))), ALONE).state
    assert len(copied) == len(WORLD) + IS_RIGHT.sum()
    assert not rows_differ(state, copied).any()
    np.testing.assert_allclose(copied.rows.means_m[len(WORLD) :], WORLD.means_m[IS_RIGHT] + [0, 5, 0], atol=1e-5)
    with pytest.raises(InvalidEditError, match="at most 500"):
        apply(state, all_of(WORLD), Duplicate(placement=Placement()), replace(ALONE, max_row_count=500))


def test_light_from_above_lights_what_looks_up() -> None:
    world = plane(4)
    flat = np.log(np.tile(np.float32([0.1, 0.1, 1e-4]), (16, 1)))
    up = np.tile(np.float32(turn_between(np.array([0.0, 0, 1]), np.array([0.0, 1, 0]))), (16, 1))
    world = replace(world, log_scales=flat, quaternions_wxyz=up)
    views = np.array([[0.0, 10.0, 0.0]])
    normals, flatness = normals_of(world, views)
    np.testing.assert_allclose(normals, [[0, 1, 0]] * 16, atol=1e-6)
    assert flatness.min() > 0.99
    seen = Surroundings(viewpoints_m=views)
    grey = base_colors(world.sh)
    for direction, brightness in (((0.0, 2.0, 0.0), 1.0), ((0.0, -1.0, 0.0), 0.0)):
        light = Light(direction=direction, color_rgb=(1, 1, 1))
        lit = base_colors(apply(open_state(world), all_of(world), Relight(light=light), seen).state.rows.sh)
        np.testing.assert_allclose(lit, grey * brightness, atol=2e-3)


def test_a_hole_is_filled_at_its_height_with_its_colors_and_nowhere_else() -> None:
    world = plane(40)
    radius = np.linalg.norm(world.means_m, axis=1)
    hills = world.means_m.copy()
    hills[:, 1] = 0.1 * np.cos(2 * hills[:, 0])
    colors = np.zeros((len(world), 1, 3), np.float32)
    colors[:, 0, 0] = np.where(world.means_m[:, 0] > 0, 1.2, -1.2)
    ring = replace(world, means_m=hills, sh=colors).select(radius > 0.3)
    state = open_state(ring)
    filled = apply(state, all_of(ring), FillHole(), ALONE).state
    new = filled.rows.select(np.arange(len(ring), len(filled)))
    assert len(new) == pytest.approx((radius <= 0.3).sum(), rel=0.4)
    assert np.linalg.norm(new.means_m[:, [0, 2]], axis=1).max() < 0.45
    np.testing.assert_allclose(new.means_m[:, 1], 0.1 * np.cos(2 * new.means_m[:, 0]), atol=0.02)
    red = 0.5 + SH_C0 * new.sh[:, 0, 0]
    assert red[new.means_m[:, 0] > 0.15].mean() > red[new.means_m[:, 0] < -0.15].mean() + 0.2
    with pytest.raises(HoleNotFoundError):
        apply(open_state(world), all_of(world), FillHole(), ALONE)


def test_worlds_and_meshes_are_put_in() -> None:
    state = open_state(WORLD)
    insert = Insert(asset_version="a", path="b", placement=Placement(translation_m=(9, 0, 0)), mesh_count=800)
    put = apply(state, np.zeros(len(WORLD), np.bool_), insert, replace(ALONE, inserted=make_world(30))).state
    np.testing.assert_allclose(put.rows.means_m[400:], make_world(30).means_m + np.float32([9, 0, 0]), atol=1e-5)
    assert put.rows.sh.shape == (430, 16, 3), "in the world's degree"
    square = Mesh(
        vertices_m=np.float32([[0, 0, 0], [2, 0, 0], [2, 2, 0], [0, 2, 0]]),
        faces=np.int32([[0, 1, 2], [0, 2, 3]]),
        colors_rgb=np.uint8([[255, 0, 0]] * 4),
    )
    covered = apply(state, np.zeros(len(WORLD), np.bool_), insert, replace(ALONE, inserted=square)).state
    new = covered.rows.select(np.arange(400, 1200))
    assert new.means_m.min(axis=0) == pytest.approx([9, 0, 0], abs=0.1)
    assert new.means_m.max(axis=0) == pytest.approx([11, 2, 0], abs=0.1)
    np.testing.assert_allclose(base_colors(new.sh), [[1, 0, 0]] * 800, atol=1e-6)
    normals, _ = normals_of(new, np.array([[10.0, 1, 9]]))
    np.testing.assert_allclose(normals, [[0, 0, 1]] * 800, atol=1e-6)
    with pytest.raises(InvalidEditError, match="no faces"):
        empty = Mesh(vertices_m=np.zeros((3, 3), np.float32), faces=np.int32([[0, 1, 2]]))
        apply(state, np.zeros(len(WORLD), np.bool_), insert, replace(ALONE, inserted=empty))


def test_numbers_that_no_world_has_are_refused() -> None:
    state = open_state(WORLD)
    with pytest.raises(InvalidEditError):
        Placement(translation_m=(math.nan, 0, 0))
    with pytest.raises(InvalidEditError):
        apply(state, IS_RIGHT, Transform(placement=Placement(translation_m=(1e9, 0, 0))), ALONE)
    with pytest.raises(InvalidEditError):
        apply(state, IS_RIGHT, Transform(placement=Placement(translation_m=(1e300, 0, 0))), ALONE)


EVERY: dict[str, Operation] = {
    "delete": Delete(),
    "crop": Crop(),
    "transform": Transform(placement=Placement(quaternion_wxyz=TURN, translation_m=(0, 1, 0))),
    "remove floaters": RemoveFloaters(),
    "level ground": LevelGround(tolerance_m=0.5),
    "recolor": Recolor(to=ToColor(color_rgb=(1, 0, 0))),
    "shift": Recolor(to=Shift(lab=(10, 5, -5)), strength=0.5),
    "duplicate": Duplicate(placement=Placement(translation_m=(0, 0.5, 0))),
    "relight": Relight(light=Light(direction=(1, 1, 0), color_rgb=(1, 1, 0.8), ambient=0.3)),
}


def looks() -> Looks:
    return Looks(cameras=[camera_in_front(160, 120)], kernels=KERNELS, options=RenderOptions())


def checked(state: EditState, after: EditState, is_touchable: np.ndarray, look: Looks) -> object:
    difference = compare(state, after, shared_count=len(state))
    return check_consistency(
        state,
        after,
        difference,
        is_touchable,
        look,
        pictures_before=look.pictures(state),
        pictures_after=look.pictures(after),
    )


@pytest.mark.parametrize("name", [name for name in EVERY if name != "level ground"])
def test_every_edit_leaves_all_else_as_it_was_and_gives_the_same_bytes_again(name: str) -> None:
    state, operation, look = open_state(WORLD), EVERY[name], looks()
    seen = Surroundings(viewpoints_m=np.array([[0.0, 0, 3]]))
    after = apply(state, IS_RIGHT, operation, seen).state
    found = checked(state, after, may_touch(operation, state, IS_RIGHT), look)
    assert found.is_consistent, found  # type: ignore[attr-defined]
    assert found.max_difference == 0  # type: ignore[attr-defined]
    again = apply(open_state(WORLD), IS_RIGHT, operation, seen).state
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(after.rows, array), getattr(again.rows, array))
    for array in ARRAYS:
        np.testing.assert_array_equal(getattr(state.rows, array), getattr(WORLD, array), "the state before is whole")


def test_nothing_selected_is_said_and_not_done() -> None:
    for operation in EVERY.values():
        with pytest.raises(EmptySelectionError):
            apply(open_state(WORLD), np.zeros(len(WORLD), np.bool_), operation, ALONE)


def test_the_check_sees_an_edit_that_reaches_too_far() -> None:
    """A planted mistake: one Gaussian outside the selection is moved, recoloured or taken away too."""
    state, look = open_state(WORLD), looks()
    good = apply(state, IS_RIGHT, Delete(), ALONE).state
    i_outside = int(np.flatnonzero((WORLD.means_m[:, 0] < -0.5) & (np.abs(WORLD.means_m[:, 1]) < 0.5))[0])
    means, sh, alive = good.rows.means_m.copy(), good.rows.sh.copy(), good.is_alive.copy()
    means[i_outside] += 0.1
    sh[i_outside, 0] += 1.0
    alive[i_outside] = False
    for bad in (
        replace(good, rows=replace(good.rows, means_m=means)),
        replace(good, rows=replace(good.rows, sh=sh)),
        replace(good, is_alive=alive),
    ):
        found = checked(state, bad, IS_RIGHT, look)
        assert not found.is_consistent  # type: ignore[attr-defined]
        assert found.changed_outside_count == 1  # type: ignore[attr-defined]
        assert found.max_difference > 0.01, "the picture shows it by itself"  # type: ignore[attr-defined]


def test_a_small_camera_sees_the_same() -> None:
    camera = camera_in_front(640, 480)
    small = small_camera(camera)
    assert (small.width_px, small.height_px) == (160, 120)
    assert small.focal_px[0] / small.width_px == camera.focal_px[0] / camera.width_px
    assert edits.may_touch(Crop(), open_state(WORLD), IS_RIGHT).tolist() == (~IS_RIGHT).tolist()
