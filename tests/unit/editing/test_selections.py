"""What selections hold."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from editing_service.core import selections
from editing_service.core.errors import InvalidSelectionError
from editing_service.core.neighbours import build_tree, components, far_neighbours, rings
from editing_service.core.selections import (
    Box,
    Brush,
    Combined,
    Connected,
    Everything,
    Inverted,
    Mask,
    Method,
    NearColor,
    Range,
    Sphere,
    bits_of,
    mask_of,
    select,
)
from editing_service.core.state import EditState, open_state
from praxiscope_worlds import SH_C0
from tests.support.world_files import camera_in_front, make_world

WORLD = make_world(500)
HALF_TURN_HALF = (math.cos(math.pi / 8), 0.0, 0.0, math.sin(math.pi / 8))  # 45 degrees about z


def at(*points: tuple[float, float, float], **changes: object) -> EditState:
    world = replace(make_world(len(points)), means_m=np.array(points, np.float32))
    return open_state(replace(world, **changes))


def test_a_turned_box_holds_what_lies_within_its_own_axes() -> None:
    state = at((1.2, 0, 0), (0.9, 0.9, 0), (0, 0, 0.6))
    box = Box(center_m=(0, 0, 0), size_m=(2, 2, 1), quaternion_wxyz=HALF_TURN_HALF)
    assert select(state, box).tolist() == [True, False, False]
    assert select(state, replace(box, quaternion_wxyz=(2.0, 0, 0, 0))).tolist() == [False, True, False]


def test_sphere_color_and_ranges() -> None:
    state = open_state(WORLD)
    inside = np.linalg.norm(WORLD.means_m, axis=1) <= 0.5
    np.testing.assert_array_equal(select(state, Sphere(center_m=(0, 0, 0), radius_m=0.5)), inside)
    red = np.tile(np.float32([(1 - 0.5) / SH_C0, (0 - 0.5) / SH_C0, (0 - 0.5) / SH_C0]), (2, 1, 1))
    red[1] = 0.0  # grey
    two = at((0, 0, 0), (1, 0, 0), sh=red)
    assert select(two, NearColor(color_rgb=(1, 0, 0), tolerance=1.0)).tolist() == [True, False]
    assert select(two, NearColor(color_rgb=(0.5, 0.5, 0.5), tolerance=1.0)).tolist() == [False, True]
    three = at(
        (0, 0, 0),
        (1, 0, 0),
        (2, 0, 0),
        opacity_logits=np.float32([-3, 0, 3]),
        log_scales=np.log(np.float32([[0.1] * 3, [0.2] * 3, [0.3] * 3])),
    )
    assert select(three, Range(max_opacity=0.1)).tolist() == [True, False, False]
    assert select(three, Range(min_opacity=0.1, max_extent_m=0.25)).tolist() == [False, True, False]
    assert select(three, Range()).all()


def test_selections_are_put_together_as_sets() -> None:
    state = open_state(WORLD)
    left, near = Box(center_m=(-5, 0, 0), size_m=(10, 9, 9)), Sphere(center_m=(0, 0, 0), radius_m=0.4)
    first, second = select(state, left), select(state, near)
    for method, expected in (
        (Method.UNION, first | second),
        (Method.INTERSECTION, first & second),
        (Method.DIFFERENCE, first & ~second),
    ):
        np.testing.assert_array_equal(select(state, Combined(method=method, parts=(left, near))), expected)
    np.testing.assert_array_equal(select(state, Inverted(part=left)), ~first)
    assert select(state, Everything()).all()


def test_the_dead_are_never_selected() -> None:
    dead = replace(open_state(WORLD), is_alive=WORLD.means_m[:, 0] > 0)
    np.testing.assert_array_equal(select(dead, Everything()), dead.is_alive)
    assert not select(dead, Inverted(part=Everything())).any()
    assert not (select(dead, Connected(gap_m=100.0, is_largest=True)) & ~dead.is_alive).any()


def test_a_mask_is_what_it_was_when_read_again_and_may_be_short_or_long() -> None:
    mask = np.random.default_rng(1).random(501) < 0.3
    np.testing.assert_array_equal(mask_of(bits_of(mask), 501), mask)
    assert mask_of(b"\xff", 4).tolist() == [True] * 4
    assert mask_of(b"\x05", 12).tolist() == [True, False, True] + [False] * 9
    assert select(at((0, 0, 0), (1, 0, 0)), Mask(bits=b"\x02\xff\xff")).tolist() == [False, True]


def test_components_agree_with_a_walk_over_all_pairs_of_touching_cubes() -> None:
    random, gap = np.random.default_rng(2), 0.15
    points = random.random((300, 3)).astype(np.float32)
    labels, counts = components(points, gap_m=gap)
    cubes = np.floor((points.astype(float) - points.min(axis=0)) / gap).astype(int)
    touch = (np.abs(cubes[:, None] - cubes[None]) <= 1).all(axis=2)
    reached = np.linalg.matrix_power(touch.astype(float), 64) > 0
    np.testing.assert_array_equal(labels[:, None] == labels[None], reached)
    assert counts.sum() == 300
    np.testing.assert_array_equal(counts[labels], reached.sum(axis=1))


def test_connectivity_grows_from_a_seed_or_takes_the_large_or_the_small() -> None:
    chain = [(0.1 * step, 0, 0) for step in range(20)]
    state = at(*chain, (9, 0, 0), (9.05, 0, 0), (20, 0, 0))
    seed = Sphere(center_m=(9, 0, 0), radius_m=0.01)
    assert np.flatnonzero(select(state, Connected(gap_m=0.15, seed=seed))).tolist() == [20, 21]
    assert np.flatnonzero(select(state, Connected(gap_m=0.15, is_largest=True))).tolist() == list(range(20))
    assert np.flatnonzero(select(state, Connected(gap_m=0.15, max_count=1))).tolist() == [22]
    with pytest.raises(InvalidSelectionError, match="too small"):
        select(state, Connected(gap_m=1e-9, is_largest=True))


def test_far_neighbours_are_those_that_all_distances_say() -> None:
    points = np.random.default_rng(3).normal(0, 1, (800, 3)).astype(np.float32)
    distances = np.sort(np.linalg.norm(points[:, None] - points[None], axis=2), axis=1)[:, 4]
    for threshold in (0.2, 0.6, 2.0):
        i_far, found = far_neighbours(points, build_tree(points), neighbour_count=4, threshold_m=threshold)
        np.testing.assert_array_equal(np.sort(i_far), np.flatnonzero(distances > threshold))
        np.testing.assert_allclose(found, distances[i_far], rtol=1e-5)


def test_rings_count_cubes_over_points() -> None:
    points = np.array([[0.11 * step, 0, 0] for step in range(6)], np.float32)
    is_start = np.arange(6) == 0
    assert rings(points, is_start, side_m=0.1, count=3).tolist() == [0, 1, 2, 3, -1, -1]


def test_a_brush_takes_the_front_surface_or_all_behind_it() -> None:
    front = [(0.02 * x, 0.02 * y, 0.5) for x in range(-5, 6) for y in range(-5, 6)]
    back = [(x, y, -0.5) for x, y, _ in front]
    state = at(*front, *back, (0, 0, 3.5))  # the last is behind the camera
    camera = camera_in_front()
    brush = Brush(camera=camera, points_px=((30.0, 24.0), (34.0, 24.0)), radius_px=1.5)
    held = select(state, brush)
    assert held[: len(front)].any()
    assert not held[len(front) :].any()
    through = select(state, replace(brush, is_through=True))
    assert through[len(front) : -1].any()
    assert not through[-1]
    assert not select(state, replace(brush, points_px=((500.0, 500.0),))).any()


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda: Box(center_m=(math.nan, 0, 0), size_m=(1, 1, 1)), id="nan"),
        pytest.param(lambda: Box(center_m=(0, 0, 0), size_m=(1, 0, 1)), id="flat box"),
        pytest.param(lambda: Box(center_m=(0, 0, 0), size_m=(1, 1, 1), quaternion_wxyz=(0, 0, 0, 0)), id="no turn"),
        pytest.param(lambda: Sphere(center_m=(0, 0, 1e30), radius_m=1), id="too far"),
        pytest.param(lambda: Sphere(center_m=(0, 0, 0), radius_m=-1), id="negative radius"),
        pytest.param(lambda: Connected(gap_m=0.0), id="no gap"),
        pytest.param(lambda: Brush(camera=camera_in_front(), points_px=(), radius_px=1), id="no stroke"),
        pytest.param(lambda: selections.Range(min_opacity=math.inf), id="infinite"),
    ],
)
def test_what_is_no_selection_is_refused(make: object) -> None:
    with pytest.raises(InvalidSelectionError):
        make()  # type: ignore[operator]
