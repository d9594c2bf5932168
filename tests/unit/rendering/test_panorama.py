"""Everything around a place, from six faces."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from praxiscope_worlds import Camera, InvalidViewError
from rendering_service.adapters.mesh_engines import DrawingCancelledError
from rendering_service.adapters.picture_job import write_panorama
from rendering_service.core.panorama import Panorama, face_side_px, faces_of, places_on_faces
from rendering_service.core.world_view import Layer

HERE = Panorama(position_m=(1.0, 2.0, 3.0))


def directions_of(camera: Camera) -> np.ndarray:
    """Unit directions of a camera's pixels in the world, [H, W, 3]."""
    x = (np.arange(camera.width_px) + 0.5 - camera.centre_px[0]) / camera.focal_px[0]
    y = (np.arange(camera.height_px) + 0.5 - camera.centre_px[1]) / camera.focal_px[1]
    rays = np.stack([*np.broadcast_arrays(x[None], y[:, None]), np.ones((camera.height_px, camera.width_px))], axis=-1)
    world = rays @ camera.world_from_camera[:3, :3].T
    return world / np.linalg.norm(world, axis=-1, keepdims=True)


def test_each_pixel_lies_on_the_face_that_looks_its_way() -> None:
    side_px = face_side_px(256)
    faces = faces_of(HERE, side_px=side_px)
    number, x, y = places_on_faces(faces, range(128), width_px=256, height_px=128)
    assert set(np.unique(number)) == set(range(6))
    assert min(x.min(), y.min()) > 1
    assert max(x.max(), y.max()) < side_px - 1
    # The middle looks along -z, right is x, the top is y.
    assert number[64, 128] == 0
    assert number[64, 192] == 1
    assert number[0, 0] == 4
    assert number[127, 10] == 5


def test_a_scene_of_directions_comes_out_as_directions(tmp_path: Path) -> None:
    def draw(camera: Camera, layer: Layer) -> np.ndarray:
        assert layer is Layer.COLOR
        np.testing.assert_array_equal(camera.position_m, HERE.position_m)
        return np.rint(127.5 + 127.5 * directions_of(camera)).astype(np.uint8)

    shares: list[float] = []
    target = tmp_path / "around.png"
    write_panorama(draw, HERE, target, width_px=300, should_stop=lambda: False, on_share=shares.append)
    read = cv2.imread(str(target))
    assert read is not None
    assert read.shape == (150, 300, 3)
    around = ((np.arange(300) + 0.5) / 300 - 0.5) * math.tau
    up = (0.5 - (np.arange(150) + 0.5) / 150)[:, None] * math.pi
    expected = np.stack(
        np.broadcast_arrays(np.cos(up) * np.sin(around), np.sin(up), -np.cos(up) * np.cos(around)), axis=-1
    )
    assert np.abs(read[..., ::-1].astype(float) - (127.5 + 127.5 * expected)).max() <= 1.5, (
        "no seam, no turn, no mirror"
    )
    assert shares == sorted(shares)
    assert len(shares) == 6


def test_a_place_that_is_none_and_a_panorama_that_should_stop(tmp_path: Path) -> None:
    with pytest.raises(InvalidViewError):
        Panorama(position_m=(0.0, math.nan, 0.0))
    with pytest.raises(DrawingCancelledError):
        write_panorama(
            lambda camera, _: np.zeros((camera.height_px, camera.width_px, 3), np.uint8),
            HERE,
            tmp_path / "a.png",
            width_px=64,
            should_stop=lambda: True,
            on_share=lambda _: None,
        )
