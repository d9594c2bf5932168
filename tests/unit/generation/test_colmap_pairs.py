"""Which photos are compared in full: the ones alike, no part of the set left alone that is like another, and what is left out for later."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generation_service.adapters.colmap_pairs import largest_features, left_out, likely_pairs, likeness


def _chain(count: int, reach: int) -> np.ndarray:
    """Photos along a path: the nearer, the more alike, and nothing beyond the reach."""
    apart = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    return np.where(apart <= reach, 100 - apart, 0) * (apart > 0)


def test_each_photo_goes_with_those_it_is_most_like() -> None:
    pairs = likely_pairs(_chain(40, reach=12), neighbour_count=6)
    assert pairs == sorted(set(pairs))
    for i in range(40):
        partners = {a + b - i for a, b in pairs if i in (a, b)}
        nearest = sorted((j for j in range(40) if j != i), key=lambda j: abs(j - i))[:6]
        assert {j for j in nearest if abs(j - i) < abs(nearest[-1] - i)} <= partners
    assert len(pairs) < 40 * 39 / 2 / 4


def test_few_photos_are_all_compared() -> None:
    assert likely_pairs(_chain(9, reach=2), neighbour_count=16) == list(itertools.combinations(range(9), 2))


def test_two_clusters_are_tied_by_their_best_pairs() -> None:
    # Two rooms of ten photos each, taken in turns; through the door, 3 and 14 share a little, and 7 with 16 less.
    room = np.array([i % 2 for i in range(20)])
    alike = np.where(room[:, None] == room, 50, 0)
    for i, j, shared in ((3, 14, 4), (7, 16, 2)):
        alike[i, j] = alike[j, i] = shared
    np.fill_diagonal(alike, 0)
    assert (3, 14) in likely_pairs(alike, neighbour_count=5)
    assert {(3, 14), (7, 16)} <= set(likely_pairs(alike, neighbour_count=5))
    assert (7, 16) not in likely_pairs(alike, neighbour_count=1)


def test_photos_like_nothing_end_it() -> None:
    pairs = likely_pairs(np.zeros((6, 6), np.int64), neighbour_count=2)
    assert {(i, i + 1) for i in range(5)} <= set(pairs)
    assert likely_pairs(np.zeros((1, 1), np.int64), neighbour_count=2) == []


@given(st.integers(2, 14), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_whatever_is_alike_hangs_together(count: int, neighbour_count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    alike = np.triu(rng.integers(0, 9, (count, count)) * (rng.random((count, count)) < 0.3), 1)
    alike = alike + alike.T
    pairs = likely_pairs(alike, neighbour_count=neighbour_count)
    assert all(0 <= i < j < count for i, j in pairs)
    if neighbour_count == 0:
        return  # nothing but photos in a row was asked for
    reached = _reach(count, [pair for pair in pairs if alike[pair]])
    assert np.array_equal(reached, _reach(count, [(int(i), int(j)) for i, j in np.argwhere(alike)]))


def _reach(count: int, pairs: list[tuple[int, int]]) -> np.ndarray:
    linked = np.eye(count, dtype=bool)
    for i, j in pairs:
        linked[i, j] = linked[j, i] = True
    for _ in range(count):
        linked = (linked.astype(int) @ linked.astype(int)) > 0
    return linked


def test_what_was_left_out_is_every_other_pair_of_the_unplaced() -> None:
    assert left_out([(0, 1), (1, 3)], [3], 5) == [(0, 3), (2, 3), (3, 4)]
    assert left_out([(0, 1)], [], 5) == []


@pytest.mark.parametrize("columns", [4, 6])
def test_features_that_two_photos_share_are_counted(columns: int) -> None:
    rng = np.random.default_rng(1)
    things = rng.integers(0, 256, (900, 128)).astype(np.uint8)
    keypoints = np.zeros((900, columns), np.float32)
    keypoints[:, 2] = np.linspace(9, 1, 900)
    first = largest_features(keypoints, things)
    assert first.shape == (512, 128)
    assert np.allclose(np.linalg.norm(first, axis=1), 1, atol=1e-6)
    # The second photo shows 200 of the largest from a little apart, and otherwise other things; the third nothing of it.
    other = rng.integers(0, 256, (900, 128)).astype(np.uint8)
    other[:200] = np.clip(things[100:300].astype(int) + rng.integers(-9, 10, (200, 128)), 0, 255)
    second = largest_features(keypoints, other)
    third = largest_features(keypoints, rng.integers(0, 256, (900, 128)).astype(np.uint8))
    alike = likeness([first, second, third, third[:1], third[:0]], thread_count=2)
    assert np.array_equal(alike, alike.T)
    assert 195 <= alike[0, 1] <= 205
    assert alike[0, 2] < 5
    assert not alike[3:].any()
