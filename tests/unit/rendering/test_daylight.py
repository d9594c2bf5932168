"""Light of the sun and the sky, and how it becomes levels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from rendering_service.core.color import displayed, linear
from rendering_service.core.daylight import SKY_ROWS, Daylight, daylight_told, sky_on_surfaces, sky_rows


def test_the_sun_stands_where_it_is_said() -> None:
    np.testing.assert_allclose(Daylight(sun_azimuth_rad=0, sun_elevation_rad=0).towards_sun, (0, 0, 1), atol=1e-12)
    up = Daylight(sun_azimuth_rad=1, sun_elevation_rad=math.pi / 2).towards_sun
    np.testing.assert_allclose(up, (0, 1, 0), atol=1e-12)
    assert np.linalg.norm(Daylight().towards_sun) == pytest.approx(1.0)


def test_what_a_surface_gets_of_the_sky_is_the_skys_mean_over_what_it_sees() -> None:
    random = np.random.default_rng(5)
    directions = random.normal(size=(400_000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rows = np.arccos(directions[:, 1]) / math.pi * (SKY_ROWS - 1)
    seen = sky_rows()[np.rint(rows).astype(int)]
    for i_row in (0, 64, 128, 200, 256):
        tilt = i_row / (SKY_ROWS - 1) * math.pi
        cosine = np.maximum(directions @ [math.sin(tilt), math.cos(tilt), 0.0], 0.0)
        expected = 4.0 * (cosine[:, None] * seen).mean(axis=0)  # uniform over the sphere: 4 pi / pi
        np.testing.assert_allclose(sky_on_surfaces()[i_row], expected, rtol=0.02)


def test_levels_survive_linear_light_and_what_is_no_number_is_black() -> None:
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(displayed(linear(levels)), levels)
    odd = np.array([-1.0, 2.0, np.nan, np.inf], np.float32)
    np.testing.assert_array_equal(displayed(odd), [0, 255, 0, 255])


@pytest.mark.parametrize(
    ("sun", "expected"),
    [
        ({"azimuth_rad": 1.0, "elevation_rad": 0.5}, Daylight(sun_azimuth_rad=1.0, sun_elevation_rad=0.5)),
        ({"azimuth_rad": 1, "elevation_rad": 9}, Daylight(sun_azimuth_rad=1.0, sun_elevation_rad=math.pi / 2)),
        ({"azimuth_rad": 1.0, "elevation_rad": math.nan}, Daylight()),
        ({"azimuth_rad": "1", "elevation_rad": 0.5}, Daylight()),
        ({}, Daylight()),
        ([1.0, 2.0], Daylight()),
        (None, Daylight()),
    ],
    ids=["two angles", "too high", "no number", "a word", "nothing", "a list", "none"],
)
def test_a_worlds_description_may_say_where_the_sun_is_or_anything_else(sun: object, expected: Daylight) -> None:
    assert daylight_told({"sun": sun}) == expected
