"""From the nets' pixels to the source frame and back."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_inference_service.core.geometry import (
    CropWindow,
    SearchGrid,
    box_around,
    intersection_over_union,
    visible_share,
)

sides = st.integers(16, 8000)
boxes = st.tuples(*(st.floats(0, 1000) for _ in range(2)), *(st.floats(1, 500) for _ in range(2))).map(
    lambda v: np.array([v[0], v[1], v[0] + v[2], v[1] + v[3]], np.float32)
)


@given(width=sides, height=sides)
def test_a_grid_holds_the_whole_frame_and_its_corner_comes_back(width: int, height: int) -> None:
    grid = SearchGrid.fit(width, height, long_side_px=384, stride_px=32)
    assert max(grid.image_width_px, grid.image_height_px) == 384
    assert grid.grid_width_px % 32 == grid.grid_height_px % 32 == 0
    assert 0 <= grid.grid_width_px - grid.image_width_px < 32
    assert 0 <= grid.grid_height_px - grid.image_height_px < 32
    corner = np.array([grid.image_width_px / grid.grid_width_px, grid.image_height_px / grid.grid_height_px])
    np.testing.assert_allclose(grid.source_from_unit(corner), (width, height), rtol=1e-6)
    np.testing.assert_array_equal(grid.source_from_unit(np.zeros(2, np.float32)), 0)


@given(
    x=st.floats(-500, 2000),
    y=st.floats(-500, 2000),
    side=st.floats(1, 3000),
    rotation=st.floats(-math.pi, math.pi),
)
def test_a_windows_centre_stays_and_its_sides_keep_their_length(
    x: float, y: float, side: float, rotation: float
) -> None:
    window = CropWindow.square(center_x_px=x, center_y_px=y, side_px=side, size_px=256, rotation_rad=rotation)
    center, right = window.to_source(np.array([[128.0, 128.0], [256.0, 128.0]], np.float32))
    np.testing.assert_allclose(center, (x, y), atol=0.01)
    expected = np.array([math.cos(rotation), math.sin(rotation)]) * side / 2
    np.testing.assert_allclose(right - center, expected, atol=0.01)


def test_a_window_without_extent_is_refused() -> None:
    with pytest.raises(ValueError, match="source_px_per_crop_px"):
        CropWindow.square(center_x_px=0, center_y_px=0, side_px=0, size_px=256)


@given(first=boxes, second=boxes)
def test_overlap_is_symmetric_and_between_none_and_all(first: np.ndarray, second: np.ndarray) -> None:
    overlap = intersection_over_union(first[None], second[None])[0, 0]
    assert 0 <= overlap <= 1 + 1e-6
    assert overlap == pytest.approx(intersection_over_union(second[None], first[None])[0, 0], abs=1e-6)
    assert intersection_over_union(first[None], first[None])[0, 0] == pytest.approx(1, abs=1e-5)


def test_overlap_of_known_boxes() -> None:
    first = np.array([[0, 0, 2, 2]], np.float32)
    others = np.array([[1, 1, 3, 3], [2, 0, 4, 2], [0, 0, 0, 0]], np.float32)
    np.testing.assert_allclose(intersection_over_union(first, others), [[1 / 7, 0, 0]])


def test_empty_boxes_do_not_overlap_themselves() -> None:
    empty = np.zeros((1, 4), np.float32)
    assert intersection_over_union(empty, empty)[0, 0] == 0


def test_a_box_around_points_leaves_out_missing_ones() -> None:
    points = np.array([[1, 5], [np.nan, 0], [3, 2]], np.float32)
    np.testing.assert_array_equal(box_around(points), [1, 2, 3, 5])
    assert np.isnan(box_around(points[1:2])).all()


@pytest.mark.parametrize(
    ("box", "share"), [((0, 0, 10, 10), 1.0), ((-5, 0, 5, 10), 0.5), ((20, 0, 30, 10), 0.0), ((3, 3, 3, 9), 0.0)]
)
def test_the_visible_share_of_a_box(box: tuple[float, ...], share: float) -> None:
    found = visible_share(np.array(box, np.float32), width_px=20, height_px=10)
    assert found == pytest.approx(share)
