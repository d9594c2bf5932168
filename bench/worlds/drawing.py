"""How long a picture and its gradients take: 100,000 Gaussians at 800 x 600 on two threads."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.figure import Figure, tell
from bench.worlds.scenes import make_garden, read_garden
from praxiscope_worlds import Camera, GaussianWorld
from praxiscope_worlds.kernels import CpuKernels, PictureGradients, ReferenceKernels, RenderOptions

ROUNDS = 21
FORWARD_GOAL_MS, BACKWARD_GOAL_MS = 15.0, 25.0
REFERENCE_COUNT, REFERENCE_SHARE = 200, 8


def time_drawing(kernels: CpuKernels, garden: Path | None) -> bool:
    """Prints the figures of our own scene, and of a stranger's where its file is given; returns whether all goals hold."""
    is_met = _time_scene("garden of our own", kernels, *make_garden())
    if garden is None:
        print("\ntest_garden.npz: not run: give its path (`make bench PART=worlds GARDEN=path`)")
    else:
        is_met = _time_scene(garden.name, kernels, *read_garden(garden)) and is_met
    return is_met


def _time_scene(name: str, kernels: CpuKernels, world: GaussianWorld, camera: Camera) -> bool:
    options = RenderOptions()
    drawn = kernels.render(world, camera, options, has_gradients=True)
    gradients = PictureGradients(color_rgb=np.full_like(drawn.color_rgb, 1e-6))
    geometry = RenderOptions(has_geometry=True)
    wall, cpu = {}, {}
    works: dict[str, Callable[[], object]] = {
        "forward, all in": lambda: kernels.render(world, camera, options),
        "forward with depth and normals": lambda: kernels.render(world, camera, geometry),
        "backward": lambda: kernels.differentiate(drawn, gradients),
    }
    for _ in range(ROUNDS):
        for work_name, work in works.items():
            started_s, started_cpu_s = time.perf_counter(), time.process_time()
            work()
            wall.setdefault(work_name, []).append(1e3 * (time.perf_counter() - started_s))
            cpu.setdefault(work_name, []).append(1e3 * (time.process_time() - started_cpu_s))
    seen = f"{drawn.seen_count} seen, {drawn.intersection_count} intersections"
    print(f"\n{name}: {len(world)} Gaussians, {seen}, {camera.width_px} x {camera.height_px}; {kernels.level}")
    goals = {"forward, all in": FORWARD_GOAL_MS, "backward": BACKWARD_GOAL_MS}
    figures = []
    for work_name in works:
        wall_ms, cpu_ms = statistics.median(wall[work_name]), statistics.median(cpu[work_name])
        goal = goals.get(work_name)
        note = f"CPU {cpu_ms:.1f} ms; wall {min(wall[work_name]):.1f} to {max(wall[work_name]):.1f}"
        figures.append(Figure(name=work_name, value=wall_ms, unit="ms", goal=goal, note=note))
        per_thread_ms = cpu_ms / kernels.thread_count
        figures.append(Figure(name="  CPU time over threads", value=per_thread_ms, unit="ms"))
    is_met = tell(figures)
    _compare_with_reference(kernels, world, camera)
    return is_met


def _compare_with_reference(kernels: CpuKernels, world: GaussianWorld, camera: Camera) -> None:
    """Our own definition in numpy, on a share of the scene: no other package draws splats on a CPU without torch."""
    few = world.select(np.arange(0, len(world), len(world) // REFERENCE_COUNT))
    small = Camera(
        width_px=camera.width_px // REFERENCE_SHARE,
        height_px=camera.height_px // REFERENCE_SHARE,
        focal_px=(camera.focal_px[0] / REFERENCE_SHARE, camera.focal_px[1] / REFERENCE_SHARE),
        centre_px=(camera.centre_px[0] / REFERENCE_SHARE, camera.centre_px[1] / REFERENCE_SHARE),
        world_from_camera=camera.world_from_camera,
    )
    spent_s = []
    for backend in (ReferenceKernels(), kernels):
        started_s = time.process_time()
        backend.render(few, small, RenderOptions())
        spent_s.append(time.process_time() - started_s)
    name = f"CPU time of numpy's definition over ours, {len(few)} Gaussians"
    print(Figure(name=name, value=spent_s[0] / spent_s[1], unit="x", note="no peer installs without torch"))
