"""Pictures of a small still life by every engine, beside those that were looked at once. Drawn anew: `.venv/bin/python -m tests.golden.worlds.test_pictures`.

Two tiers: nearly every pixel is as it was, to within the rounding of another driver or compiler; the few on edges and in the tracer's noise may differ, but not
the picture as a whole. What differs is written beside the test's other files, so that it can be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from praxiscope_worlds import Orbit, measure_bounds, orbit_camera
from rendering_service.adapters.mesh_engines import MeshEngines
from rendering_service.adapters.mesh_preparation import scene_of
from rendering_service.core.daylight import Daylight
from rendering_service.core.world_view import Layer, depth_levels, normal_levels
from tests.support.engines import choice_of, need_engine
from tests.support.meshes import make_still_life

HERE = Path(__file__).parent
WIDTH_PX, HEIGHT_PX = 160, 120
SUN = Daylight(sun_azimuth_rad=1.9, sun_elevation_rad=0.7)
# A raster's and a compiler's rounding, of 255; and on how many pixels more than that may be.
_ALIKE_LEVELS, _OTHER_SHARE, _MEAN_LEVELS = 6, 0.02, 1.0
# (file, engine, layer, light)
PICTURES = (
    ("raster-plain", "mesh-gl", Layer.COLOR, None),
    ("raster-daylight", "mesh-gl", Layer.COLOR, SUN),
    ("raster-depth", "mesh-gl", Layer.DEPTH, None),
    ("raster-normals", "mesh-gl", Layer.NORMAL, None),
    ("path-daylight", "path-llvm", Layer.COLOR, SUN),
)


def draw(engines: MeshEngines, engine: str, layer: Layer, daylight: Daylight | None) -> np.ndarray:
    """A picture as levels of 8 bits, RGB or grey."""
    mesh = make_still_life()
    orbit = Orbit(azimuth_rad=0.6, elevation_rad=0.45, distance_radii=2.4)
    camera = orbit_camera(measure_bounds(mesh), orbit, width_px=WIDTH_PX, height_px=HEIGHT_PX)
    choice = choice_of(engine, sample_count=512)
    scene = scene_of(mesh, has_ground=daylight is not None)
    with engines.open(scene, choice, daylight, should_stop=lambda: False) as drawing:
        drawn = drawing.draw(camera, layer, timeout_s=100.0)
    match layer:
        case Layer.COLOR:
            return drawn
        case Layer.DEPTH:
            return (depth_levels(drawn)[0] >> 8).astype(np.uint8)
        case Layer.NORMAL:
            return normal_levels(drawn, camera)


def check_alike(drawn: np.ndarray, golden: np.ndarray) -> None:
    """The two tiers."""
    assert drawn.shape == golden.shape
    difference = np.abs(drawn.astype(int) - golden.astype(int))
    others = float((difference > _ALIKE_LEVELS).mean())
    assert others <= _OTHER_SHARE, f"{others:.2%} of the levels differ by more than {_ALIKE_LEVELS}"
    assert difference.mean() <= _MEAN_LEVELS, f"levels differ by {difference.mean():.2f} in mean"


@pytest.fixture(scope="module")
def engines() -> Iterator[MeshEngines]:
    engines = MeshEngines(thread_count=2)
    yield engines
    engines.close()


@pytest.mark.parametrize(("name", "engine", "layer", "daylight"), PICTURES, ids=[item[0] for item in PICTURES])
def test_pictures_are_as_they_were(
    engines: MeshEngines, name: str, engine: str, layer: Layer, daylight: Daylight | None, tmp_path: Path
) -> None:
    need_engine(engines, engine)
    drawn, golden = draw(engines, engine, layer, daylight), _read(HERE / f"{name}.png")
    try:
        check_alike(drawn, golden)
    except AssertionError as error:
        side_by_side = np.hstack(
            [golden, drawn, np.clip(4 * np.abs(golden.astype(int) - drawn), 0, 255).astype(np.uint8)]
        )
        _write(tmp_path / f"{name}.png", side_by_side)
        raise AssertionError(f"{error}; was, is and four times the difference: {tmp_path / name}.png") from error


def test_the_check_sees_what_it_should() -> None:
    golden = _read(HERE / "raster-daylight.png")
    noisy = golden.astype(int) + np.random.default_rng(1).integers(-1, 2, golden.shape)
    check_alike(np.clip(noisy, 0, 255).astype(np.uint8), golden)
    moved, darker = np.roll(golden, 2, axis=1), (0.95 * golden).astype(np.uint8)
    hole = golden.copy()
    hole[50:75, 60:90] = 0
    for wrong in (moved, darker, hole):
        with pytest.raises(AssertionError):
            check_alike(wrong, golden)


def _read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None, path
    return picture if picture.ndim == 2 else np.ascontiguousarray(picture[..., ::-1])


def _write(path: Path, picture: np.ndarray) -> None:
    cv2.imwrite(str(path), picture if picture.ndim == 2 else np.ascontiguousarray(picture[..., ::-1]))


if __name__ == "__main__":
    made = MeshEngines(thread_count=2)
    for name_, engine_, layer_, daylight_ in PICTURES:
        _write(HERE / f"{name_}.png", draw(made, engine_, layer_, daylight_))
    made.close()
