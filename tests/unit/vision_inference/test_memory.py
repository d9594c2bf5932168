"""What is remembered between frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_inference_service.core.memory import Region, RegionMemory, new_region

numbers = st.floats(-1e4, 1e4, width=32)
regions = st.builds(
    Region,
    box_px=st.tuples(*[numbers] * 4).map(lambda v: np.array(v, np.float32)),
    velocity_px_per_s=st.tuples(numbers, numbers).map(lambda v: np.array(v, np.float32)),
    seen_offset_s=st.floats(0, 1e6),
    evidence_offset_s=st.floats(0, 1e6),
    rotation_rad=st.floats(-7, 7),
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


@pytest.mark.parametrize("rows", [np.zeros((2, 9)), np.zeros(10), np.full((1, 10), np.nan)])
def test_what_is_no_memory_is_refused(rows: np.ndarray) -> None:
    with pytest.raises(ValueError, match="region memory"):
        RegionMemory.from_array(rows)


def test_who_is_not_seen_is_expected_ever_slower_ahead() -> None:
    region = new_region(np.array([0, 0, 10, 20], np.float32), offset_s=0.0)
    moved = region.see(np.array([10, 0, 20, 20], np.float32), offset_s=0.1, is_strong=True, rotation_rad=0, smoothing=1)
    np.testing.assert_allclose(moved.velocity_px_per_s, [100, 0])
    ahead = [moved.predict_box(0.1 + step, velocity_memory_s=0.3)[0] - 10 for step in (0.0, 0.1, 0.2, 10.0)]
    assert ahead[0] == 0
    assert 0 < ahead[2] - ahead[1] < ahead[1] < 10
    assert ahead[3] == pytest.approx(30, abs=1e-3)


def test_a_sight_at_the_same_time_does_not_make_a_velocity() -> None:
    region = new_region(np.array([0, 0, 10, 20], np.float32), offset_s=1.0)
    moved = region.see(np.array([5, 0, 15, 20], np.float32), offset_s=1.0, is_strong=False, rotation_rad=0, smoothing=1)
    np.testing.assert_array_equal(moved.velocity_px_per_s, 0)
