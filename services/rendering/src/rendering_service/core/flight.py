"""Camera paths: smooth between the views that somebody wants to pass through.

Each number of a view (of circles: azimuth, elevation, distance, field; of cameras: place, rotation, lens) is a cubic Hermite spline over time. At a
view it moves as the parabola through the view and its two neighbours does (the Catmull-Rom spline for uneven times), and not at all
where the view before or after is the same, so that twice the same view is a rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float64
from scipy.interpolate import CubicHermiteSpline
from scipy.spatial.transform import Rotation

from praxiscope_common.errors import InvalidInputError
from praxiscope_worlds import Bounds, Camera, Orbit, orbit_camera

MAX_FRAME_COUNT = 3600
USUAL_PAUSE_S = 2.0
USUAL_FRAME_RATE_HZ = 30
_MAX_ELEVATION_RAD = 1.55
_FIELD_RANGE_RAD = (1e-3, 3.0)
_FARTHEST = 1e9
_LOG_FOCAL, _CENTRE, _PLACE, _TURN = slice(0, 2), slice(2, 4), slice(4, 7), slice(7, 11)


class InvalidFlightError(InvalidInputError):
    """The times of a flight must grow from each view to the next, and it may have at most 3600 frames."""

    reason = "INVALID_FLIGHT"


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """When a flight is where.

    Attributes:
        times_s: Of each view, from the first one's, growing.
        frame_rate_hz: Frames a second.
    """

    times_s: tuple[float, ...]
    frame_rate_hz: int

    @property
    def frame_count(self) -> int:
        """From the first view to the last one, both among them."""
        return round(self.times_s[-1] * self.frame_rate_hz) + 1


def make_timetable(offsets_s: Sequence[float], *, frame_rate_hz: int) -> Timetable:
    """Reads when a flight passes through its views.

    Args:
        offsets_s: Of at least two views; all zero: evenly, `USUAL_PAUSE_S` apart.
        frame_rate_hz: Frames a second.

    Raises:
        InvalidFlightError: They do not grow, or there are too many frames.
    """
    if not any(offsets_s):
        offsets_s = [USUAL_PAUSE_S * index for index in range(len(offsets_s))]
    for index, (before_s, after_s) in enumerate(pairwise(offsets_s)):
        if after_s <= before_s:
            raise InvalidFlightError(
                f"The flight is at view {index + 1} ({after_s:g} s) no later than at the one before ({before_s:g} s).",
                metadata={"waypoint": str(index + 1)},
            )
    timetable = Timetable(times_s=tuple(offset_s - offsets_s[0] for offset_s in offsets_s), frame_rate_hz=frame_rate_hz)
    if timetable.frame_count > MAX_FRAME_COUNT:
        raise InvalidFlightError(
            f"{timetable.frame_count} frames are more than {MAX_FRAME_COUNT}; fly faster, or with fewer frames a second.",
            metadata={"frame_count": str(timetable.frame_count)},
        )
    return timetable


def fly(
    views: Sequence[Orbit | Camera], timetable: Timetable, bounds: Bounds, *, width_px: int, height_px: int
) -> Iterator[Camera]:
    """Yields the camera of each frame.

    Args:
        views: What is passed through. Where all are places on circles the flight stays on circles; else all are cameras to it.
        timetable: When.
        bounds: Of the world, for circles.
        width_px: Of every frame.
        height_px: Likewise; a camera's vertical field is kept.

    Raises:
        InvalidViewError: A place on a circle is none.
        InvalidFlightError: A place is too far away to reckon with.
    """
    size = {"width_px": width_px, "height_px": height_px}
    orbits = [view for view in views if isinstance(view, Orbit)]
    if len(orbits) == len(views):
        for orbit in orbits:
            orbit_camera(bounds, orbit, **size)  # those that are none are refused before the first frame
        at = _spline(timetable, np.stack([_orbit_numbers(orbit) for orbit in orbits]))
        cameras = (orbit_camera(bounds, _orbit(at(time_s)), **size) for time_s in _times(timetable))
    else:
        fitted = [
            orbit_camera(bounds, view, **size) if isinstance(view, Orbit) else _fit(view, **size) for view in views
        ]
        at = _spline(timetable, _camera_numbers(fitted))
        cameras = (_camera(at(time_s), **size) for time_s in _times(timetable))
    yield from cameras


def _times(timetable: Timetable) -> Iterator[float]:
    for index in range(timetable.frame_count):
        yield min(index / timetable.frame_rate_hz, timetable.times_s[-1])


def _spline(timetable: Timetable, numbers: Float64[np.ndarray, "N M"]) -> Callable[[float], Float64[np.ndarray, " M"]]:
    if not np.abs(numbers).max() <= _FARTHEST:
        raise InvalidFlightError(f"A flight cannot be farther away than {_FARTHEST:g}.")
    times_s = np.array(timetable.times_s)[:, None]
    pauses_s, steps = np.diff(times_s, axis=0), np.diff(numbers, axis=0)
    speeds = steps / pauses_s
    at_views = np.concatenate([speeds[:1], speeds])
    at_views[1:-1] = (pauses_s[1:] * speeds[:-1] + pauses_s[:-1] * speeds[1:]) / (pauses_s[1:] + pauses_s[:-1])
    rests = np.flatnonzero(~steps.any(axis=1))
    at_views[rests] = at_views[rests + 1] = 0.0
    return CubicHermiteSpline(timetable.times_s, numbers, at_views)


def _orbit_numbers(orbit: Orbit) -> Float64[np.ndarray, " 4"]:
    return np.array([orbit.azimuth_rad, orbit.elevation_rad, math.log(orbit.distance_radii), orbit.vertical_field_rad])


def _orbit(numbers: Float64[np.ndarray, " 4"]) -> Orbit:
    return Orbit(
        azimuth_rad=float(numbers[0]),
        elevation_rad=float(np.clip(numbers[1], -_MAX_ELEVATION_RAD, _MAX_ELEVATION_RAD)),
        distance_radii=math.exp(numbers[2]),
        vertical_field_rad=float(np.clip(numbers[3], *_FIELD_RANGE_RAD)),
    )


def _fit(camera: Camera, *, width_px: int, height_px: int) -> Camera:
    """The same view at another size: what the height covers stays, and the middle of the picture."""
    scale = height_px / camera.height_px
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=(camera.focal_px[0] * scale, camera.focal_px[1] * scale),
        centre_px=(
            0.5 * width_px + (camera.centre_px[0] - 0.5 * camera.width_px) * scale,
            camera.centre_px[1] * scale,
        ),
        world_from_camera=camera.world_from_camera,
    )


def _camera_numbers(cameras: Sequence[Camera]) -> Float64[np.ndarray, "N 11"]:
    turns = Rotation.from_matrix(np.stack([camera.world_from_camera[:3, :3] for camera in cameras])).as_quat()
    for before, after in pairwise(turns):
        if before @ after < 0.0:  # of the two that say the same, the one on the near side
            after *= -1.0
    return np.array(
        [
            [*np.log(camera.focal_px), *camera.centre_px, *camera.position_m, *turn]
            for camera, turn in zip(cameras, turns, strict=True)
        ]
    )


def _camera(numbers: Float64[np.ndarray, " 11"], *, width_px: int, height_px: int) -> Camera:
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = Rotation.from_quat(numbers[_TURN]).as_matrix()
    world_from_camera[:3, 3] = numbers[_PLACE]
    focal_x_px, focal_y_px = np.exp(numbers[_LOG_FOCAL])
    centre_x_px, centre_y_px = numbers[_CENTRE]
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=(float(focal_x_px), float(focal_y_px)),
        centre_px=(float(centre_x_px), float(centre_y_px)),
        world_from_camera=world_from_camera,
    )
