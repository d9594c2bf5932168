"""Camera paths."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from praxiscope_worlds import Bounds, Camera, InvalidViewError, Orbit, camera_from_pose, orbit_camera
from rendering_service.core.flight import InvalidFlightError, fly, make_timetable

BOUNDS = Bounds(middle_m=np.array([1.0, 2.0, 3.0]), radius_m=2.0)
SIZE = {"width_px": 96, "height_px": 54}


def flown(views: Sequence[Orbit | Camera], offsets_s: Sequence[float], frame_rate_hz: int = 10) -> list[Camera]:
    timetable = make_timetable(offsets_s, frame_rate_hz=frame_rate_hz)
    cameras = list(fly(views, timetable, BOUNDS, **SIZE))
    assert len(cameras) == timetable.frame_count
    return cameras


def camera(turn: Sequence[float] = (1.0, 0.0, 0.0, 0.0), place: Sequence[float] = (0.0, 0.0, 0.0)) -> Camera:
    lens = {"focal_px": (50.0, 50.0), "centre_px": (48.0, 27.0)}
    return camera_from_pose(tuple(turn), tuple(place), **SIZE, **lens)  # type: ignore[arg-type]


def about_y(*angles_deg: float) -> np.ndarray:
    return Rotation.from_rotvec(np.outer(np.radians(angles_deg), [0.0, 1.0, 0.0])).as_quat(scalar_first=True)


def test_a_flight_passes_through_its_views_at_their_times() -> None:
    turns = about_y(0.0, 80.0, 170.0, 260.0)
    views = [camera(turn, (index, index**2, -index)) for index, turn in enumerate(turns)]
    cameras = flown(views, [0.0, 0.5, 1.7, 2.0])
    for view, frame in zip(views, (0, 5, 17, 20), strict=True):
        np.testing.assert_allclose(cameras[frame].world_from_camera, view.world_from_camera, atol=1e-9)
        assert cameras[frame].focal_px == pytest.approx(view.focal_px)


def test_it_is_smooth_and_does_not_turn_the_long_way() -> None:
    turns = about_y(350.0, 10.0, 30.0, 50.0)
    turns[1] *= -1.0  # says the same
    cameras = flown([camera(turn, (float(index), 0.0, 0.0)) for index, turn in enumerate(turns)], [0, 1, 2, 3], 30)
    steps = [
        Rotation.from_matrix(a.world_from_camera[:3, :3].T @ b.world_from_camera[:3, :3]).magnitude()
        for a, b in itertools.pairwise(cameras)
    ]
    np.testing.assert_allclose(np.degrees(steps), 20.0 / 30.0, rtol=0.05)
    places = np.array([frame.position_m[0] for frame in cameras])
    np.testing.assert_allclose(np.diff(places), 1.0 / 30.0, rtol=1e-6)


def test_twice_the_same_view_is_a_rest() -> None:
    cameras = flown([camera(place=(x, 0.0, 0.0)) for x in (0.0, 1.0, 1.0, 3.0)], [0, 1, 2, 3])
    resting = np.array([frame.position_m for frame in cameras[10:21]])
    np.testing.assert_allclose(resting, [[1.0, 0.0, 0.0]] * 11, atol=1e-9)


def test_circles_stay_circles_and_go_around_as_often_as_asked() -> None:
    cameras = flown([Orbit(elevation_rad=0.3), Orbit(azimuth_rad=2 * math.tau, elevation_rad=0.3)], [0, 0], 30)
    distances = [np.linalg.norm(frame.position_m - BOUNDS.middle_m) for frame in cameras]
    np.testing.assert_allclose(distances, Orbit().distance_radii * BOUNDS.radius_m)
    once = orbit_camera(BOUNDS, Orbit(elevation_rad=0.3), **SIZE)
    np.testing.assert_allclose(cameras[30].world_from_camera, once.world_from_camera, atol=1e-9)
    assert np.linalg.norm(cameras[15].position_m - once.position_m) > BOUNDS.radius_m


def test_a_cameras_vertical_field_and_middle_stay_at_the_videos_size() -> None:
    square = camera_from_pose(
        (1.0, 0.0, 0.0, 0.0),
        (0.0, 0.0, 0.0),
        width_px=100,
        height_px=100,
        focal_px=(80.0, 80.0),
        centre_px=(60.0, 40.0),
    )
    first = flown([square, Orbit()], [0, 0])[0]
    assert (first.width_px, first.height_px) == (96, 54)
    assert first.focal_px == pytest.approx((43.2, 43.2))
    assert first.centre_px == pytest.approx((48.0 + 5.4, 21.6))


@pytest.mark.parametrize(
    ("offsets_s", "word"),
    [([0.0, 1.0, 1.0], "no later"), ([1.0, 0.5], "no later"), ([0.0, 500.0], "5001 frames")],
)
def test_times_that_make_no_flight_are_refused(offsets_s: list[float], word: str) -> None:
    with pytest.raises(InvalidFlightError, match=word):
        make_timetable(offsets_s, frame_rate_hz=10)


def test_places_that_cannot_be_reckoned_with_are_refused() -> None:
    with pytest.raises(InvalidFlightError, match="farther"):
        flown([camera(), camera(place=(1e300, 0.0, 0.0))], [0, 0])
    with pytest.raises(InvalidViewError):
        flown([Orbit(azimuth_rad=math.nan), Orbit()], [0, 0])


_numbers = st.floats(-1e6, 1e6)
_views = st.one_of(
    st.builds(
        Orbit,
        azimuth_rad=_numbers,
        elevation_rad=st.floats(-1.55, 1.55),
        distance_radii=st.floats(0.01, 100.0),
        vertical_field_rad=st.floats(0.01, 2.8),
    ),
    st.builds(
        lambda angles, place: camera(
            Rotation.from_euler("xyz", angles, degrees=True).as_quat(scalar_first=True), place
        ),
        st.tuples(*[st.floats(-180.0, 180.0)] * 3),
        st.tuples(_numbers, _numbers, _numbers),
    ),
)


@given(st.lists(st.tuples(_views, st.floats(0.05, 3.0)), min_size=2, max_size=6))
def test_whatever_is_passed_through_every_frame_has_a_camera(points: list[tuple[Orbit | Camera, float]]) -> None:
    offsets_s = np.cumsum([pause_s for _, pause_s in points]).tolist()
    for frame in flown([view for view, _ in points], offsets_s, 5):
        assert np.isfinite(frame.world_from_camera).all()
