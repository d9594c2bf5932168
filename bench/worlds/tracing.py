"""How long meshes take to draw: 64 samples of a GLB of 4,000 faces at 640 x 480, and what a raster takes for the same view."""

from __future__ import annotations

import statistics
import time

import numpy as np

from bench.figure import Figure, tell
from praxiscope_worlds import Mesh, Orbit, measure_bounds, orbit_camera
from praxiscope_worlds.formats import read_world_file, write_world_file
from rendering_service.adapters.mesh_engines import MeshEngines
from rendering_service.adapters.mesh_preparation import scene_of
from rendering_service.core.daylight import Daylight
from rendering_service.core.engines import MESH_GL, Engine, EngineChoice, Hardware, Tracer
from rendering_service.core.world_view import Layer

WIDTH_PX, HEIGHT_PX, SAMPLES = 640, 480, 64
# So many rings make 4,224 faces; Duck.glb, which a scout measured with, has 4,212.
RINGS = 33
ROUNDS = 5
GOAL_S = 3.0


def time_tracing(thread_count: int) -> bool:
    """Prints the figures; returns whether the goal holds."""
    engines = MeshEngines(thread_count=thread_count)
    try:
        hardware = engines.hardware()
        print(f"\nmesh: {SAMPLES} samples at {WIDTH_PX} x {HEIGHT_PX}; {hardware.tracer_detail}")
        if hardware.tracer is None:
            return False
        met = tell(_trace(engines, hardware.tracer))
        if hardware.raster:
            tell([_raster(engines, hardware)])
        return met
    finally:
        engines.close()


def _trace(engines: MeshEngines, tracer: Tracer) -> list[Figure]:
    choice = EngineChoice(engine=Engine.PATH_TRACING, name=tracer.value, sample_count=SAMPLES, reason="")
    wall_s, cpu_s = _times(engines, choice)
    first, warm = wall_s[0], statistics.median(wall_s[1:])
    spent = statistics.median(cpu_s[1:])
    note = f"CPU {spent:.2f} s; wall {min(wall_s[1:]):.2f} to {max(wall_s[1:]):.2f}"
    return [
        Figure(name="tracer, a picture", value=warm, unit="s", goal=GOAL_S, note=note),
        Figure(name="tracer, the first one, with its compiling", value=first, unit="s"),
        Figure(
            name="tracer, samples a second of processor",
            value=WIDTH_PX * HEIGHT_PX * SAMPLES / spent / 1e6,
            unit="million",
        ),
    ]


def _raster(engines: MeshEngines, hardware: Hardware) -> Figure:
    choice = EngineChoice(engine=Engine.MESH_RASTER, name=MESH_GL, sample_count=1, reason="")
    wall_s, cpu_s = _times(engines, choice)
    note = f"CPU {1e3 * statistics.median(cpu_s[1:]):.0f} ms; {hardware.raster}"
    return Figure(name="raster, a picture", value=1e3 * statistics.median(wall_s[1:]), unit="ms", note=note)


def _times(engines: MeshEngines, choice: EngineChoice) -> tuple[list[float], list[float]]:
    """Seconds of the clock and of the engine's process, picture by picture; the mesh comes out of a file."""
    mesh = read_world_file(b"".join(write_world_file(_ball(), format_name="glb"))).content
    assert isinstance(mesh, Mesh)
    wall_s, cpu_s = [], []
    with engines.open(scene_of(mesh, has_ground=False), choice, Daylight(), should_stop=lambda: False) as drawing:
        for round_ in range(1 + ROUNDS):
            orbit = Orbit(azimuth_rad=0.2 * round_, elevation_rad=0.3)
            camera = orbit_camera(measure_bounds(mesh), orbit, width_px=WIDTH_PX, height_px=HEIGHT_PX)
            started_s, before_s = time.perf_counter(), drawing.processor_s
            drawing.draw(camera, Layer.COLOR, timeout_s=600.0)
            wall_s.append(time.perf_counter() - started_s)
            cpu_s.append(drawing.processor_s - before_s)
    return wall_s, cpu_s


def _ball() -> Mesh:
    """A bumpy ball: light goes from surface to surface."""
    around, down = np.meshgrid(np.linspace(0, 2 * np.pi, 2 * RINGS + 1), np.linspace(0, np.pi, RINGS + 1))
    radius = 1.0 + 0.15 * np.sin(5 * around) * np.sin(6 * down) * np.sin(down)
    unit = np.stack([np.sin(down) * np.sin(around), np.cos(down), np.sin(down) * np.cos(around)], axis=-1)
    corner = np.arange(around.size).reshape(around.shape)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, 1:], corner[1:, :-1]
    upper, lower = np.stack([a, c, b], -1)[1:], np.stack([a, d, c], -1)[:-1]
    return Mesh(
        vertices_m=(radius[..., None] * unit).reshape(-1, 3).astype(np.float32),
        faces=np.concatenate([upper.reshape(-1, 3), lower.reshape(-1, 3)]).astype(np.int32),
        colors_rgb=np.rint(127.5 + 120 * unit).reshape(-1, 3).astype(np.uint8),
    )
