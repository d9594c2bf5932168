"""Large pictures in parts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from praxiscope_worlds import Camera
from praxiscope_worlds.kernels import ReferenceKernels, RenderOptions
from rendering_service.adapters.mesh_engines import DrawingCancelledError
from rendering_service.adapters.picture_job import write_picture
from rendering_service.core.tiles import scaled, tiles_of
from rendering_service.core.world_view import Layer, color_levels
from tests.support.world_files import camera_in_front, make_world


@pytest.mark.parametrize("max_side_px", [7, 20, 48, 64, 1000])
def test_parts_cover_the_picture_once_and_are_what_it_would_be(max_side_px: int) -> None:
    camera = camera_in_front(64, 48)
    seen = np.zeros((48, 64), int)
    for tile in tiles_of(camera, max_side_px=max_side_px):
        seen[tile.rows, tile.columns] += 1
        assert max(tile.camera.width_px, tile.camera.height_px) <= max_side_px
        # A point that the part sees at a place, the whole sees there too, moved by the part's own place.
        point = np.array([0.3, -0.2, 2.0])
        for whole, part, moved in zip(_seen_at(camera, point), _seen_at(tile.camera, point), (tile.left_px, tile.top_px), strict=True):  # fmt: skip
            assert part + moved == pytest.approx(whole)
    assert seen.min() == seen.max() == 1


def test_parts_drawn_by_the_splat_raster_join_without_a_seam() -> None:
    world, camera, kernels = make_world(60), camera_in_front(64, 48), ReferenceKernels()
    whole = kernels.render(world, camera, RenderOptions()).color_rgb
    joined = np.zeros_like(whole)
    for tile in tiles_of(camera, max_side_px=32):
        joined[tile.rows, tile.columns] = kernels.render(world, tile.camera, RenderOptions()).color_rgb
    # Gaussians at the frame are held back (`FRAME_MARGIN`), which a part has elsewhere than the whole.
    np.testing.assert_allclose(joined, whole, atol=5e-3)


@pytest.mark.parametrize("layer", list(Layer), ids=[layer.name for layer in Layer])
def test_a_picture_written_in_bands_is_the_picture(tmp_path: Path, layer: Layer) -> None:
    world, camera, kernels = make_world(60), camera_in_front(64, 48), ReferenceKernels()

    def draw(part: Camera, asked: Layer) -> np.ndarray:
        drawn = kernels.render(world, part, RenderOptions(has_geometry=True))
        found = {Layer.COLOR: color_levels(drawn.color_rgb), Layer.DEPTH: drawn.depth_m, Layer.NORMAL: drawn.normals}
        picture = found[asked]
        assert picture is not None
        return picture

    pictures, shares = [], []
    for band_pixels in (1 << 20, 64 * 16):
        target = tmp_path / f"{band_pixels}.png"
        written = write_picture(
            draw, camera, layer, target, should_stop=lambda: False, on_share=shares.append, band_pixels=band_pixels
        )
        picture = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        pictures.append(picture.astype(int))
        assert (written.far_m > written.near_m > 0) is (layer is Layer.DEPTH)
    assert shares == [1.0, 1 / 3, 2 / 3, 1.0]
    # Gaussians at the frame are held back (`FRAME_MARGIN`), which a band has elsewhere than the whole.
    assert (np.abs(pictures[0] - pictures[1]) > (600 if layer is Layer.DEPTH else 2)).mean() < 0.01


def test_a_picture_that_should_stop_is_left(tmp_path: Path) -> None:
    with pytest.raises(DrawingCancelledError):
        write_picture(
            lambda part, _: np.zeros((part.height_px, part.width_px, 3), np.uint8),
            camera_in_front(64, 48),
            Layer.COLOR,
            tmp_path / "a.png",
            should_stop=lambda: True,
            on_share=lambda _: None,
        )


def test_a_scaled_camera_sees_the_same() -> None:
    camera = camera_in_front(64, 48)
    large = scaled(camera, width_px=640)
    assert (large.width_px, large.height_px) == (640, 480)
    point = np.array([0.3, -0.2, 2.0])
    np.testing.assert_allclose(np.array(_seen_at(large, point)), 10 * np.array(_seen_at(camera, point)))


def _seen_at(camera: Camera, point: np.ndarray) -> tuple[float, float]:
    x, y, z = point
    return (
        camera.focal_px[0] * x / z + camera.centre_px[0],
        camera.focal_px[1] * y / z + camera.centre_px[1],
    )
