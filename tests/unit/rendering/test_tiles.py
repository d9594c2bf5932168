"""Large pictures in parts."""

from __future__ import annotations

import numpy as np
import pytest

from praxiscope_worlds import Camera
from praxiscope_worlds.kernels import ReferenceKernels, RenderOptions
from rendering_service.core.tiles import tiles_of
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


def _seen_at(camera: Camera, point: np.ndarray) -> tuple[float, float]:
    x, y, z = point
    return (
        camera.focal_px[0] * x / z + camera.centre_px[0],
        camera.focal_px[1] * y / z + camera.centre_px[1],
    )
