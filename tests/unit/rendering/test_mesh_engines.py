"""Meshes drawn by real engines in processes of their own: they agree, they end when told, and a stranger's mesh is no crash."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from praxiscope_worlds import (
    Bounds,
    Camera,
    InvalidViewError,
    Mesh,
    Orbit,
    WorldNotDrawableError,
    measure_bounds,
    orbit_camera,
)
from rendering_service.adapters.drawing_program import llvm_version
from rendering_service.adapters.mesh_engines import DrawingCancelledError, MeshDrawing, MeshEngines, find_llvm
from rendering_service.adapters.mesh_preparation import scene_of
from rendering_service.core.daylight import Daylight
from rendering_service.core.engines import Tracer
from rendering_service.core.errors import EngineFailedError, EngineTimeoutError, MeshTooLargeError
from rendering_service.core.world_view import Layer
from tests.support.engines import choice_of, need_engine
from tests.support.meshes import make_ball, make_still_life, make_textured_ball

ENGINES = ("mesh-gl", "path-llvm", "path-scalar")
TIMEOUT_S = 60.0
AROUND_ORIGIN = Bounds(middle_m=np.zeros(3), radius_m=1.5)


@pytest.fixture(scope="module")
def engines() -> Iterator[MeshEngines]:
    engines = MeshEngines(thread_count=2)
    yield engines
    engines.close()


def view(bounds: Bounds, width_px: int = 96, height_px: int = 72, *, azimuth_rad: float = 0.5) -> Camera:
    """A camera whose lens does not look through the picture's middle."""
    orbit = Orbit(azimuth_rad=azimuth_rad, elevation_rad=0.3)
    camera = orbit_camera(bounds, orbit, width_px=width_px, height_px=height_px)
    return replace(camera, centre_px=(width_px / 2 + 6.0, height_px / 2 - 4.0))


def draw(
    engines: MeshEngines,
    name: str,
    mesh: Mesh,
    camera: Camera,
    *layers: Layer,
    daylight: Daylight | None = None,
    sample_count: int = 16,
) -> list[np.ndarray]:
    need_engine(engines, name)
    choice = choice_of(name, sample_count=sample_count)
    with engines.open(scene_of(mesh, has_ground=False), choice, daylight, should_stop=lambda: False) as drawing:
        return [drawing.draw(camera, layer, timeout_s=TIMEOUT_S) for layer in layers]


@pytest.mark.parametrize("name", ENGINES)
def test_depth_and_normals_are_those_of_a_ball(engines: MeshEngines, name: str) -> None:
    camera = view(AROUND_ORIGIN)
    depth, normals = draw(engines, name, make_ball(64), camera, Layer.DEPTH, Layer.NORMAL)
    # Where a ray through a pixel's middle meets the unit ball.
    x = (np.arange(96) + 0.5 - camera.centre_px[0]) / camera.focal_px[0]
    y = (np.arange(72) + 0.5 - camera.centre_px[1]) / camera.focal_px[1]
    rays = np.stack([*np.broadcast_arrays(x[None], y[:, None]), np.ones((72, 96))], axis=-1)
    middle = (camera.camera_from_world @ [0, 0, 0, 1])[:3]
    along = rays @ middle
    square = (rays**2).sum(axis=-1)
    root = along**2 - square * (middle @ middle - 1.0)
    expected = (along - np.sqrt(np.maximum(root, 0.0))) / square
    is_inside = root > 0.05 * square  # towards the rim, faces are not a ball
    np.testing.assert_allclose(depth[is_inside], expected[is_inside], atol=3e-3)
    assert np.isnan(depth[root < 0]).all()
    points = (expected[..., None] * rays) @ camera.world_from_camera[:3, :3].T + camera.position_m
    assert (np.einsum("hwc,hwc->hw", normals, points)[is_inside] > 0.998).all(), "the ball's normals are its points"
    assert not normals[root < 0].any()


@pytest.mark.parametrize("tracer", ["path-llvm", "path-scalar"])
def test_the_tracer_and_the_raster_see_the_same_shapes(engines: MeshEngines, tracer: str) -> None:
    mesh = make_still_life()
    camera = view(measure_bounds(mesh))
    ours = draw(engines, "mesh-gl", mesh, camera, Layer.DEPTH, Layer.NORMAL)
    theirs = draw(engines, tracer, mesh, camera, Layer.DEPTH, Layer.NORMAL)
    # Pixels whose middle lies on an edge may fall to either side of it.
    differs = np.isnan(ours[0]) != np.isnan(theirs[0])
    assert differs.mean() < 0.002
    distance = np.abs(ours[0] - theirs[0])[~np.isnan(ours[0]) & ~np.isnan(theirs[0])]
    assert np.percentile(distance, 99.5) < 1e-4
    angle = np.abs(ours[1] - theirs[1]).max(axis=-1)
    assert np.percentile(angle, 99.5) < 1e-4


@pytest.mark.parametrize("mesh", [make_ball(), make_textured_ball()], ids=["colours", "texture"])
@pytest.mark.parametrize("daylight", [None, Daylight()], ids=["as they are", "daylight"])
def test_the_tracer_and_the_raster_agree_where_nothing_throws_a_shadow(
    engines: MeshEngines, mesh: Mesh, daylight: Daylight | None
) -> None:
    camera = view(AROUND_ORIGIN)
    (raster,) = draw(engines, "mesh-gl", mesh, camera, Layer.COLOR, daylight=daylight)
    (traced,) = draw(engines, "path-llvm", mesh, camera, Layer.COLOR, daylight=daylight, sample_count=128)
    difference = np.abs(raster.astype(int) - traced.astype(int))
    # The tracer's noise, and edges, which the raster mixes of four places and the tracer of its samples.
    assert difference.mean() < 1.0
    assert np.percentile(difference, 98) <= 8
    assert raster.max() > 100


def test_the_same_question_gives_the_same_picture(engines: MeshEngines) -> None:
    camera = view(AROUND_ORIGIN, 48, 36)
    drawn = [
        draw(engines, "path-llvm", make_ball(), camera, Layer.COLOR, daylight=Daylight(), sample_count=4)[0]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])


def test_things_throw_shadows_where_paths_are_traced(engines: MeshEngines) -> None:
    need_engine(engines, "path-llvm")
    scene = scene_of(make_still_life(), has_ground=True)
    camera = view(measure_bounds(make_still_life()))
    sun = Daylight(sun_azimuth_rad=0.5 + np.pi / 2, sun_elevation_rad=0.5)
    pictures = []
    for name in ("mesh-gl", "path-llvm"):
        need_engine(engines, name)
        with engines.open(scene, choice_of(name, sample_count=64), sun, should_stop=lambda: False) as drawing:
            pictures.append(drawing.draw(camera, Layer.COLOR, timeout_s=TIMEOUT_S).astype(int))
    lost = (pictures[0] - pictures[1]).mean(axis=-1)
    assert (lost > 25).mean() > 0.03, "part of the picture lies in shadow"
    assert np.median(np.abs(lost)) < 10, "most of it does not"


def test_a_drawing_ends_when_it_is_told_to(engines: MeshEngines) -> None:
    should_stop = threading.Event()
    ended: list[subprocess.Popen[bytes]] = []
    scene = scene_of(make_ball(), has_ground=True)
    camera = view(AROUND_ORIGIN, 1024, 1024)

    def work() -> None:
        choice = choice_of("path-scalar", sample_count=4096)
        with engines.open(scene, choice, Daylight(), should_stop=should_stop.is_set) as drawing:
            try:
                drawing.draw(camera, Layer.COLOR, timeout_s=600.0, on_share=shares.append)
            except DrawingCancelledError:
                ended.append(_process_of(drawing))

    shares: list[float] = []
    thread = threading.Thread(target=work)
    thread.start()
    # How long a process takes to begin is the machine's affair; how soon it ends is ours.
    deadline_s = time.monotonic() + TIMEOUT_S
    while not shares and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert shares
    told_s = time.monotonic()
    should_stop.set()
    thread.join(timeout=10.0)
    assert time.monotonic() - told_s < 5.0
    assert ended[0].poll() is not None, "the process is gone too"


@pytest.mark.parametrize("name", ["path-llvm", "path-scalar"])
def test_a_process_ends_with_who_started_it_in_the_middle_of_a_picture(engines: MeshEngines, name: str) -> None:
    need_engine(engines, name)
    scene, camera = scene_of(make_ball(), has_ground=True), view(AROUND_ORIGIN, 1024, 1024)
    choice = choice_of(name, sample_count=16384)
    with engines.open(scene, choice, Daylight(), should_stop=lambda: False) as drawing:
        process = _process_of(drawing)
        with pytest.raises(EngineTimeoutError):
            drawing.draw(camera, Layer.COLOR, timeout_s=3.0)
        assert process.poll() is None, "it draws on"
        assert process.stdin is not None
        process.stdin.close()  # as the system does where the service was killed
        assert process.wait(timeout=20.0) == 3


def test_a_drawing_that_takes_too_long_is_ended(engines: MeshEngines) -> None:
    scene = scene_of(make_ball(), has_ground=False)
    with engines.open(scene, choice_of("path-scalar"), None, should_stop=lambda: False) as drawing:
        with pytest.raises(EngineTimeoutError):
            drawing.draw(view(AROUND_ORIGIN), Layer.COLOR, timeout_s=0.05)


def test_an_engine_that_crashes_is_an_error_of_ours(engines: MeshEngines) -> None:
    scene = scene_of(make_ball(), has_ground=False)
    with engines.open(scene, choice_of("path-scalar"), None, should_stop=lambda: False) as drawing:
        drawing.draw(view(AROUND_ORIGIN), Layer.DEPTH, timeout_s=TIMEOUT_S)
        _process_of(drawing).terminate()
        with pytest.raises(EngineFailedError):
            drawing.draw(view(AROUND_ORIGIN), Layer.DEPTH, timeout_s=TIMEOUT_S)


@pytest.mark.parametrize("name", ["mesh-gl", "path-scalar"])
def test_memory_has_an_end(name: str) -> None:
    engines = MeshEngines(thread_count=1, max_memory_bytes=600 << 20)
    need_engine(engines, name)
    corners = np.random.default_rng(1).normal(size=(1_500_000, 3)).astype(np.float32)
    mesh = Mesh(vertices_m=corners, faces=np.arange(1_500_000, dtype=np.int32).reshape(-1, 3))
    scene = scene_of(mesh, has_ground=False)
    with engines.open(scene, choice_of(name), None, should_stop=lambda: False) as drawing:
        with pytest.raises(MeshTooLargeError):
            drawing.draw(view(AROUND_ORIGIN), Layer.COLOR, timeout_s=TIMEOUT_S)
    engines.close()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param("cannot allocate memory for thread-local data: ABORT", id="loader"),
        pytest.param(
            "error while loading shared libraries: x.so: failed to map segment from shared object", id="library"
        ),
        pytest.param("terminate called after throwing an instance of 'std::bad_alloc'", id="c++"),
        pytest.param("MemoryError", id="python"),
    ],
)
def test_a_process_that_ends_for_want_of_memory_is_understood(said: str, tmp_path: Path) -> None:
    (tmp_path / "errors.txt").write_text(f"{said}\n")
    process = subprocess.Popen(["sh", "-c", "read line; exit 127"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    drawing = MeshDrawing(process, tmp_path, sample_count=1, should_stop=lambda: False)
    with process, pytest.raises(MeshTooLargeError):
        drawing.draw(view(AROUND_ORIGIN), Layer.COLOR, timeout_s=TIMEOUT_S)


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(Mesh(vertices_m=np.zeros((3, 3), np.float32), faces=np.array([[0, 1, 2]], np.int32)), id="a point"),
        pytest.param(
            Mesh(vertices_m=np.array([[0, 0, 0], [1, 0, 0], [2, 0, 0]], np.float32), faces=np.array([[0, 1, 2]], np.int32)), id="a line"
        ),
        pytest.param(
            Mesh(vertices_m=np.array([[0, 0, 0], [1e9, 0, 0], [0, 1e9, 0]], np.float32), faces=np.array([[0, 1, 2]], np.int32)), id="huge"
        ),
        pytest.param(
            Mesh(vertices_m=np.array([[0, 0, 0], [1e-30, 0, 0], [0, 1e-38, 0]], np.float32), faces=np.array([[0, 1, 2]], np.int32)), id="tiny"
        ),
        pytest.param(
            Mesh(
                vertices_m=np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32),
                faces=np.array([[0, 1, 2]], np.int32),
                uvs=np.array([[1e30, 0], [-1e30, 1e30], [0, 0]], np.float32),
                texture_rgb=np.full((1, 1, 3), 90, np.uint8),
            ),
            id="a texture from afar",
        ),
    ],
)  # fmt: skip
def test_odd_meshes_are_drawn_or_nothing_is(engines: MeshEngines, name: str, mesh: Mesh) -> None:
    camera = view(measure_bounds(mesh), 32, 24)
    color, depth, normals = draw(
        engines, name, mesh, camera, Layer.COLOR, Layer.DEPTH, Layer.NORMAL, daylight=Daylight(), sample_count=2
    )
    assert color.shape == normals.shape == (24, 32, 3)
    assert depth.shape == (24, 32)
    assert np.isfinite(normals).all()


def test_what_cannot_be_drawn_is_refused_before_anything_starts() -> None:
    three = np.array([[0, 1, 2]], np.int32)
    for vertices, faces in (
        (np.eye(3), np.zeros((0, 3), np.int32)),
        (np.eye(3), np.array([[0, 0, 1]], np.int32)),
        (1e20 * np.eye(3), three),
        (np.nan * np.eye(3), three),
    ):
        with pytest.raises(WorldNotDrawableError):
            scene_of(Mesh(vertices_m=vertices.astype(np.float32), faces=faces), has_ground=True)


def test_large_textures_are_reduced_and_tinted() -> None:
    mesh = Mesh(
        vertices_m=np.eye(3, dtype=np.float32),
        faces=np.array([[0, 1, 2]], np.int32),
        colors_rgb=np.full((3, 3), 188, np.uint8),  # half of white's light
        uvs=np.zeros((3, 2), np.float32),
        texture_rgb=np.full((2, 10_000, 3), 255, np.uint8),
    )
    scene = scene_of(mesh, has_ground=False)
    assert scene.texture_rgb.shape[1] == 8192
    assert np.abs(scene.texture_rgb.astype(int) - 188).max() <= 1
    assert (scene.albedo == 1.0).all()


def test_a_lens_with_two_focal_lengths_is_refused_by_the_tracer_and_drawn_by_the_raster(engines: MeshEngines) -> None:
    camera = view(AROUND_ORIGIN)
    oval = replace(camera, focal_px=(camera.focal_px[0], 1.2 * camera.focal_px[1]))
    draw(engines, "mesh-gl", make_ball(), oval, Layer.DEPTH)
    with pytest.raises(InvalidViewError, match="focal"):
        draw(engines, "path-scalar", make_ball(), oval, Layer.DEPTH)


def test_llvm_is_told_by_its_own_words_and_an_old_one_is_none(tmp_path: Path) -> None:
    (tmp_path / "libLLVM-15.so.1").write_bytes(b"no library")
    (tmp_path / "libLLVM.so.19.1").write_bytes(b"no library")
    (tmp_path / "libLLVM-19.so").symlink_to("libLLVM.so.19.1")
    (tmp_path / "libLLVMother.so.21").write_bytes(b"no library")
    found = find_llvm([str(tmp_path), str(tmp_path / "missing")])
    assert [Path(path).name for path in found] == ["libLLVM.so.19.1", "libLLVM-15.so.1"]
    assert [llvm_version(path) for path in found] == [None, None]
    assert llvm_version("libm.so.6") is None


def test_without_a_new_llvm_paths_are_traced_without_a_compiler_and_the_reason_is_told(tmp_path: Path) -> None:
    engines = MeshEngines(thread_count=1, llvm_library=tmp_path / "libLLVM.so.99")
    hardware = engines.hardware()
    assert hardware.tracer is Tracer.SCALAR
    assert "LLVM 17 or newer" in hardware.tracer_detail
    engines.close()


def _process_of(drawing: MeshDrawing) -> subprocess.Popen[bytes]:
    return drawing._process  # pyright: ignore[reportPrivateUsage]
