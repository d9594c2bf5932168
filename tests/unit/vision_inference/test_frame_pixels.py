"""Cutting the nets' inputs out of pictures."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from praxiscope_media import MediaTooLargeError
from vision_inference_service.adapters.frame_pixels import cut_crops, decode_picture, resize_image
from vision_inference_service.core.geometry import CropWindow

WIDTH_PX, HEIGHT_PX = 400, 300


def ramp() -> np.ndarray:
    """A picture whose red is x / 2 and whose green is y / 2 at the pixel's centre; smooth, so resampling keeps it."""
    x, y = np.meshgrid(np.arange(WIDTH_PX) + 0.5, np.arange(HEIGHT_PX) + 0.5)
    return np.stack([x / 2, y / 2, np.full_like(x, 200)], axis=-1).round().astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(
    x=st.floats(150, 250),
    y=st.floats(120, 180),
    side=st.floats(20, 160),
    rotation=st.floats(-math.pi, math.pi),
    width=st.sampled_from([16, 32, 64, 256]),
    height=st.sampled_from([16, 32, 64, 256]),
)
def test_a_crop_shows_what_lies_where_its_window_says(
    x: float, y: float, side: float, rotation: float, width: int, height: int
) -> None:
    window = CropWindow(
        center_x_px=x,
        center_y_px=y,
        source_px_per_crop_px=side / max(width, height),
        width_px=width,
        height_px=height,
        rotation_rad=rotation,
    )
    crop = cut_crops(ramp(), [window])[0].astype(float)
    assert crop.shape == (height, width, 3)
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    source = window.to_source(np.stack([columns, rows], axis=-1).astype(np.float32))
    inside = (source > 4).all(axis=-1) & (source < (WIDTH_PX - 4, HEIGHT_PX - 4)).all(axis=-1)
    np.testing.assert_allclose(crop[inside][:, :2], source[inside] / 2, atol=1.2)
    assert (crop[inside][:, 2] > 198).all()


def test_outside_the_picture_a_crop_is_black() -> None:
    window = CropWindow.square(center_x_px=0, center_y_px=0, side_px=100, size_px=50)
    crop = cut_crops(ramp(), [window])[0]
    assert (crop[:24, :24] == 0).all()
    assert (crop[27:, 27:, 2] == 200).all()


def test_a_window_far_outside_is_black() -> None:
    windows = [CropWindow.square(center_x_px=-5000, center_y_px=9000, side_px=side, size_px=32) for side in (40, 400)]
    assert (cut_crops(ramp(), windows)[..., 2] == 0).all()


def test_what_shrinks_is_averaged_instead_of_sampled() -> None:
    noise = np.random.default_rng(3).integers(0, 2, (256, 256, 1)).repeat(3, axis=2).astype(np.uint8) * 255
    crop = cut_crops(noise, [CropWindow.square(center_x_px=128, center_y_px=128, side_px=256, size_px=64)])[0]
    # The mean of sixteen pixels spreads by a quarter of one pixel's spread; of the four that bilinear sampling sees, by
    # half.
    assert crop.std() < 0.3 * noise.std()
    assert crop.mean() == pytest.approx(noise.mean(), abs=2)


@pytest.mark.parametrize("size", [(200, 150), (800, 600), (31, 17)])
def test_a_resized_picture_keeps_its_places(size: tuple[int, int]) -> None:
    resized = resize_image(ramp(), *size)
    assert resized.shape == (size[1], size[0], 3)
    assert resized[size[1] // 2, size[0] // 2, :2] == pytest.approx((WIDTH_PX / 4, HEIGHT_PX / 4), abs=5)


def test_a_picture_from_the_wire_is_cut_like_a_frame() -> None:
    encoded = cv2.imencode(".png", ramp()[..., ::-1])[1].tobytes()
    window = CropWindow.square(center_x_px=200, center_y_px=150, side_px=64, size_px=64)

    async def run() -> tuple[np.ndarray, np.ndarray]:
        with ThreadPoolExecutor(1) as executor:
            picture = await decode_picture(encoded, executor, max_pixels=WIDTH_PX * HEIGHT_PX, frame_index=7)
            assert (picture.width_px, picture.height_px, picture.frame_index) == (WIDTH_PX, HEIGHT_PX, 7)
            with pytest.raises(MediaTooLargeError):
                await decode_picture(encoded, executor, max_pixels=100)
            return await picture.crops_rgb([window]), await picture.resized_rgb(40, 30)

    crops, small = asyncio.run(run())
    np.testing.assert_array_equal(crops[0], ramp()[118:182, 168:232])
    assert small.shape == (30, 40, 3)
