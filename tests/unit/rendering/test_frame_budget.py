"""How coarse the pictures of a stream are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from praxiscope_worlds import Camera
from rendering_service.core.frame_budget import DETAILS, FrameBudget, scaled_camera, thinned
from tests.support.world_files import make_world


def settle(budget: FrameBudget, full_ms: float, count: int = 30) -> list[float]:
    """Draws pictures that cost what they are said to; returns what each took."""
    taken = []
    for _ in range(count):
        taken.append(full_ms * budget.detail.cost)
        budget.note(budget.detail, taken[-1])
    return taken


@pytest.mark.parametrize(("full_ms", "place"), [(20, 0), (55, 1), (100, 3), (5000, len(DETAILS) - 1)])
def test_the_finest_detail_that_keeps_to_the_budget_is_found(full_ms: float, place: int) -> None:
    budget = FrameBudget(50.0)
    settle(budget, full_ms)
    assert budget.detail == DETAILS[place]


def test_pictures_become_coarser_at_once_and_finer_again() -> None:
    budget = FrameBudget(50.0)
    settle(budget, 20.0)
    slow = settle(budget, 120.0)
    assert slow[0] > 50
    assert max(slow[4:]) <= 50
    settle(budget, 20.0)
    assert budget.detail == DETAILS[0]


def test_details_do_not_change_with_every_picture() -> None:
    budget = FrameBudget(50.0)
    random = np.random.default_rng(0)
    places = []
    for _ in range(200):
        budget.note(budget.detail, 61.0 * budget.detail.cost * random.uniform(0.95, 1.05))
        places.append(budget.detail)
    assert sum(first != second for first, second in itertools.pairwise(places[10:])) <= 2


def test_details_cost_less_one_after_the_other() -> None:
    costs = [detail.cost for detail in DETAILS]
    assert costs == sorted(costs, reverse=True)
    assert costs[0] == 1.0


def test_a_smaller_camera_sees_the_same() -> None:
    camera = Camera(
        width_px=101, height_px=50, focal_px=(80.0, 90.0), centre_px=(50.0, 25.0), world_from_camera=np.eye(4)
    )
    small = scaled_camera(camera, 0.5)
    assert (small.width_px, small.height_px) == (50, 25)
    assert small.focal_px[0] / small.width_px == pytest.approx(80 / 101)
    assert small.centre_px[1] / small.height_px == 0.5
    assert scaled_camera(camera, 1e-6).width_px == 1


@pytest.mark.parametrize("share", [0.5, 0.25])
def test_a_thinned_world_covers_as_much(share: float) -> None:
    world = make_world(4000)
    part = thinned(world, share)
    assert len(part) == round(share * 4000)
    areas = [float(np.exp(2 * some.log_scales.astype(np.float64)).sum()) for some in (part, world)]
    assert areas[0] == pytest.approx(areas[1], rel=0.1)
    np.testing.assert_array_equal(part.means_m, thinned(world, share).means_m)
    assert {tuple(mean) for mean in part.means_m} <= {tuple(mean) for mean in world.means_m}
