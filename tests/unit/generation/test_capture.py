"""Pictures that are held out, and pictures at another size."""

from __future__ import annotations

import numpy as np
import pytest

from generation_service.core.capture import fit_size, scale_camera, split_pictures
from tests.support.world_files import camera_in_front


@pytest.mark.parametrize(("count", "held_out"), [(0, ()), (11, ()), (12, (0, 8)), (50, (0, 8, 16, 24, 32, 40, 48))])
def test_every_eighth_picture_is_held_out_where_enough_are_left(count: int, held_out: tuple[int, ...]) -> None:
    split = split_pictures(count)
    assert split.held_out == held_out
    assert sorted((*split.train, *split.held_out)) == list(range(count))


@pytest.mark.parametrize(
    ("size", "long_side_px", "expected"),
    [
        ((1600, 900), 640, (640, 360)),
        ((900, 1600), 640, (360, 640)),
        ((320, 200), 640, (320, 200)),
        ((5000, 2), 100, (100, 1)),
    ],
)
def test_pictures_fit_into_the_longer_side_and_are_not_made_larger(
    size: tuple[int, int], long_side_px: int, expected: tuple[int, int]
) -> None:
    assert fit_size(*size, long_side_px=long_side_px) == expected


def test_a_scaled_camera_sees_a_point_at_the_same_place_of_the_picture() -> None:
    camera = camera_in_front(64, 48)
    small = scale_camera(camera, width_px=32, height_px=12)
    point = camera.camera_from_world @ [0.3, -0.2, 0.4, 1.0]
    for axis, (size, small_size) in enumerate(((64, 32), (48, 12))):
        place = camera.focal_px[axis] * point[axis] / point[2] + camera.centre_px[axis]
        small_place = small.focal_px[axis] * point[axis] / point[2] + small.centre_px[axis]
        assert small_place / small_size == pytest.approx(place / size)
    np.testing.assert_array_equal(small.world_from_camera, camera.world_from_camera)
