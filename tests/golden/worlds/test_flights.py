"""Numbers of flights that the page must give, too (console/tests/flight.test.ts). Written anew: `.venv/bin/python -m tests.golden.worlds.test_flights`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from praxiscope_worlds import Bounds, Camera
from rendering_service.core.flight import fly, make_timetable

FILE = Path(__file__).parent / "flights.json"
_WIDTH_PX, _HEIGHT_PX = 960, 540
_FRAME_RATE_HZ = 4
# Both reckon in float64, by other formulas; the file has nine digits after the point.
_TOLERANCE = 2e-9
_NO_BOUNDS = Bounds(middle_m=np.zeros(3), radius_m=1.0)  # only circles have any


def view(position: Sequence[float], target: Sequence[float], *, field_rad: float = 0.9, roll_rad: float = 0.0) -> dict:
    """A stop as the page has it."""
    forward = np.subtract(target, position) / np.linalg.norm(np.subtract(target, position))
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    up = math.cos(roll_rad) * np.cross(right, forward) + math.sin(roll_rad) * right
    return {
        "position": [*map(float, position)],
        "forward": forward.round(9).tolist(),
        "up": up.round(9).tolist(),
        "verticalFieldRad": field_rad,
    }


CASES: Mapping[str, tuple[Sequence[dict[str, Any]], Sequence[float]]] = {
    "two stops": ([view((0, 1, 5), (0, 0, 0)), view((3, 2, 4), (1, 0, 0))], [0.0, 2.0]),
    "all around, past the quaternion's other side": (
        [view((4 * math.sin(turn), 1, 4 * math.cos(turn)), (0, 0.5, 0)) for turn in (0.0, 1.6, 3.2, 4.8, 6.4)],
        [0.0, 1.0, 2.0, 3.0, 4.0],
    ),
    "uneven times, a rest and a zoom": (
        [
            view((0, 0, 6), (0, 0, 0)),
            view((2, 1, 3), (0, 0, 0), field_rad=0.4),
            view((2, 1, 3), (0, 0, 0), field_rad=0.4),
            view((-1, 3, 2), (0, 1, -2), field_rad=1.3, roll_rad=0.3),
        ],
        [0.0, 0.75, 2.5, 3.0],
    ),
}


def flown(stops: Sequence[Mapping[str, Any]], times_s: Sequence[float]) -> list[dict[str, Any]]:
    """What the platform draws of a flight: time, place, and where it looks, four times a second."""
    timetable = make_timetable(times_s, frame_rate_hz=_FRAME_RATE_HZ)
    cameras = fly([_camera(stop) for stop in stops], timetable, _NO_BOUNDS, width_px=_WIDTH_PX, height_px=_HEIGHT_PX)
    return [{"timeS": index / _FRAME_RATE_HZ, **_view(camera)} for index, camera in enumerate(cameras)]


@pytest.mark.parametrize("name", CASES)
def test_the_page_is_held_to_what_the_platform_flies(name: str) -> None:
    kept = {case["name"]: case for case in json.loads(FILE.read_text(encoding="utf-8"))}
    assert list(kept) == list(CASES)
    stops, times_s = CASES[name]
    assert kept[name]["timesS"] == times_s
    for found, expected in zip(
        [*kept[name]["stops"], *kept[name]["flown"]], [*stops, *flown(stops, times_s)], strict=True
    ):
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value, atol=_TOLERANCE, err_msg=key)


def _camera(stop: Mapping[str, Any]) -> Camera:
    forward, up = np.array(stop["forward"]), np.array(stop["up"])
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = np.stack([np.cross(forward, up), -up, forward], axis=1)
    world_from_camera[:3, 3] = stop["position"]
    focal_px = _HEIGHT_PX / 2 / math.tan(stop["verticalFieldRad"] / 2)
    return Camera(
        width_px=_WIDTH_PX,
        height_px=_HEIGHT_PX,
        focal_px=(focal_px, focal_px),
        centre_px=(_WIDTH_PX / 2, _HEIGHT_PX / 2),
        world_from_camera=world_from_camera,
    )


def _view(camera: Camera) -> dict[str, Any]:
    return {
        "position": camera.position_m.round(9).tolist(),
        "forward": camera.world_from_camera[:3, 2].round(9).tolist(),
        "up": (-camera.world_from_camera[:3, 1]).round(9).tolist(),
        "verticalFieldRad": round(2 * math.atan(_HEIGHT_PX / 2 / camera.focal_px[1]), 9),
    }


if __name__ == "__main__":
    cases = [
        {"name": name, "timesS": times_s, "stops": stops, "flown": flown(stops, times_s)}
        for name, (stops, times_s) in CASES.items()
    ]
    FILE.write_text("[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n", encoding="utf-8")
