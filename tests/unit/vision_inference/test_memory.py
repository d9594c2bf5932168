"""What is remembered between frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_inference_service.core.memory import Region, RegionMemory, new_region
from vision_inference_service.core.types import BodyCircle

numbers = st.floats(-1e4, 1e4, width=32)
regions = st.builds(
    Region,
    box_px=st.tuples(*[numbers] * 4).map(lambda v: np.array(v, np.float32)),
    velocity_px_per_s=st.tuples(numbers, numbers).map(lambda v: np.array(v, np.float32)),
    seen_offset_s=st.floats(0, 1e6),
    evidence_offset_s=st.floats(0, 1e6),
    rotation_rad=st.floats(-7, 7),
    circle=st.none()
    | st.builds(
        BodyCircle,
        center_x_px=st.floats(-1e4, 1e4),
        center_y_px=st.floats(-1e4, 1e4),
        radius_px=st.floats(1, 1e4),
        lean_rad=st.floats(-4, 4),
    ),
    zoomed_offset_s=st.floats(0, 1e6),
    miss_count=st.integers(0, 10_000),
)


@given(st.lists(regions, max_size=4))
def test_a_memory_survives_storage_exactly(entries: list[Region]) -> None:
    rows = RegionMemory(regions=tuple(entries)).to_array()
    again = RegionMemory.from_array(rows)
    np.testing.assert_array_equal(again.to_array(), rows)
    for before, after in zip(entries, again.regions, strict=True):
        np.testing.assert_array_equal(after.box_px, before.box_px)
        np.testing.assert_array_equal(after.velocity_px_per_s, before.velocity_px_per_s)
        assert after.box_px.dtype == after.velocity_px_per_s.dtype == np.float32
        assert (after.seen_offset_s, after.evidence_offset_s) == (before.seen_offset_s, before.evidence_offset_s)
        assert (after.rotation_rad, after.miss_count) == (before.rotation_rad, before.miss_count)
        assert (after.circle, after.zoomed_offset_s) == (before.circle, before.zoomed_offset_s)


@pytest.mark.parametrize("rows", [np.zeros((2, 14)), np.zeros(15), np.full((1, 15), np.nan)])
def test_what_is_no_memory_is_refused(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="region memory"):
        RegionMemory.from_array(rows)


def see(region: Region, box_px: list[float], *, offset_s: float, circle: BodyCircle | None = None) -> Region:
    box = np.array(box_px, np.float32)
    return region.see(box, offset_s=offset_s, is_strong=True, rotation_rad=0.0, circle=circle, smoothing=1.0)


def test_without_landmarks_the_circle_moves_along_with_the_box_and_both_move_on() -> None:
    circle = BodyCircle(center_x_px=5.0, center_y_px=10.0, radius_px=9.0, lean_rad=0.3)
    region = new_region(np.array([0, 0, 10, 20], np.float32), offset_s=0.0, circle=circle)
    moved = see(region, [10, 5, 20, 25], offset_s=0.1)
    assert moved.circle == BodyCircle(center_x_px=15.0, center_y_px=15.0, radius_px=9.0, lean_rad=0.3)
    ahead = moved.predict_circle(0.2, velocity_memory_s=0.3)
    box = moved.predict_box(0.2, velocity_memory_s=0.3)
    assert ahead is not None
    assert (ahead.center_x_px, ahead.center_y_px) == pytest.approx((box[:2] + box[2:]) / 2)
    assert new_region(np.zeros(4, np.float32), offset_s=0.0).predict_circle(1.0, velocity_memory_s=0.3) is None


def test_who_is_not_seen_is_expected_ever_slower_ahead() -> None:
    region = new_region(np.array([0, 0, 10, 20], np.float32), offset_s=0.0)
    moved = see(region, [10, 0, 20, 20], offset_s=0.1)
    np.testing.assert_allclose(moved.velocity_px_per_s, [100, 0])
    ahead = [moved.predict_box(0.1 + step, velocity_memory_s=0.3)[0] - 10 for step in (0.0, 0.1, 0.2, 10.0)]
    assert ahead[0] == 0
    assert 0 < ahead[2] - ahead[1] < ahead[1] < 10
    assert ahead[3] == pytest.approx(30, abs=1e-3)


def test_a_sight_at_the_same_time_does_not_make_a_velocity() -> None:
    region = new_region(np.array([0, 0, 10, 20], np.float32), offset_s=1.0)
    moved = see(region, [5, 0, 15, 20], offset_s=1.0)
    np.testing.assert_array_equal(moved.velocity_px_per_s, 0)
