"""From where worlds are looked at, and what pixels say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from praxiscope_worlds import (
    Bounds,
    GaussianWorld,
    InvalidViewError,
    Orbit,
    WorldNotDrawableError,
    camera_from_pose,
    measure_bounds,
    orbit_camera,
)
from rendering_service.core.world_view import color_levels, depth_levels, normal_levels
from tests.support.world_files import camera_in_front, make_world

BOUNDS = Bounds(middle_m=np.array([1.0, 2.0, 3.0]), radius_m=2.0)


@pytest.mark.parametrize(
    ("azimuth_deg", "elevation_deg", "direction"),
    [
        (0, 0, (0, 0, 1)),
        (90, 0, (1, 0, 0)),
        (180, 0, (0, 0, -1)),
        (0, 45, (0, math.sqrt(0.5), math.sqrt(0.5))),
    ],
)
def test_an_orbits_camera_stands_where_it_should_and_looks_at_the_middle(
    azimuth_deg: float, elevation_deg: float, direction: tuple[float, float, float]
) -> None:
    orbit = Orbit(azimuth_rad=math.radians(azimuth_deg), elevation_rad=math.radians(elevation_deg), distance_radii=3.0)
    camera = orbit_camera(BOUNDS, orbit, width_px=200, height_px=100)
    np.testing.assert_allclose(camera.position_m, BOUNDS.middle_m + 6.0 * np.array(direction), atol=1e-9)
    middle = camera.camera_from_world @ [*BOUNDS.middle_m, 1.0]
    np.testing.assert_allclose(middle[:3], [0, 0, 6.0], atol=1e-9)
    above = camera.camera_from_world @ [*(BOUNDS.middle_m + np.array([0, 0.1, 0])), 1.0]
    assert above[1] < 0, "y is down in the picture, so what lies higher has less of it"
    assert camera.focal_px[1] == pytest.approx(50 / math.tan(0.45))


@pytest.mark.parametrize(
    "orbit",
    [
        Orbit(elevation_rad=math.pi / 2),
        Orbit(azimuth_rad=math.nan),
        Orbit(vertical_field_rad=math.pi),
        Orbit(distance_radii=math.inf),
    ],
)
def test_an_orbit_that_is_none_is_refused(orbit: Orbit) -> None:
    with pytest.raises(InvalidViewError):
        orbit_camera(BOUNDS, orbit, width_px=10, height_px=10)


def test_a_pose_says_the_same_as_its_matrix_whatever_the_quaternions_length() -> None:
    expected = camera_in_front()
    for length in (1.0, 7.0):
        camera = camera_from_pose(
            (0.0, length, 0.0, 0.0), (0, 0, 3), width_px=64, height_px=48, focal_px=(60, 60), centre_px=(32, 24)
        )
        np.testing.assert_allclose(camera.world_from_camera, expected.world_from_camera, atol=1e-12)
    with pytest.raises(InvalidViewError):
        camera_from_pose((0, 0, 0, 0), (0, 0, 3), width_px=9, height_px=9, focal_px=(1, 1), centre_px=(4, 4))


def test_bounds_do_not_follow_a_far_sky_nor_haze() -> None:
    ball, far = make_world(400), make_world(100, seed=2)
    sky = GaussianWorld(
        means_m=np.concatenate([ball.means_m, far.means_m * 1000 + 500]).astype(np.float32),
        quaternions_wxyz=np.concatenate([ball.quaternions_wxyz, far.quaternions_wxyz]),
        log_scales=np.concatenate([ball.log_scales, far.log_scales]),
        opacity_logits=np.concatenate([ball.opacity_logits, far.opacity_logits - 10]),
        sh=np.concatenate([ball.sh, far.sh]),
    )
    alone, together = measure_bounds(ball), measure_bounds(sky)
    np.testing.assert_allclose(together.middle_m, alone.middle_m)
    assert together.radius_m == alone.radius_m
    with pytest.raises(WorldNotDrawableError):
        measure_bounds(make_world(0))


def test_depth_has_a_level_for_nothing_and_the_rest_from_near_to_far() -> None:
    levels, near, far = depth_levels(np.array([[np.nan, 2.0], [3.0, 4.0]], np.float32))
    assert (near, far) == (2.0, 4.0)
    assert levels.tolist() == [[0, 1], [32768, 65535]]
    assert depth_levels(np.full((2, 2), np.nan, np.float32))[0].max() == 0


def test_colours_are_cut_to_what_a_picture_can_say() -> None:
    assert color_levels(np.array([[[-0.5, 0.5, 1.5]]], np.float32)).tolist() == [[[0, 128, 255]]]


def test_normals_are_the_cameras() -> None:
    towards_the_camera = np.array([[[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]], np.float32)
    # The camera looks along -z, so what faces it points against its own z.
    assert normal_levels(towards_the_camera, camera_in_front()).tolist() == [[[128, 128, 0], [128, 128, 128]]]
