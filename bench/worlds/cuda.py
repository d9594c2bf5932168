"""How long the CUDA kernels take for a picture and its gradients, beside the CPU's and gsplat's: the last part of `make cuda-check`.

    python -m bench.worlds.cuda        GARDEN=test_garden.npz adds a stranger's points

Two scenes: the garden of `bench.worlds`, and 35 of them side by side, 3.5 million Gaussians. Every time is all in: from numpy's arrays to numpy's arrays,
for that is what the interface can do. gsplat is given the same job where it is installed. Ends with code 1 where a scene's picture or gradients are not the
CPU's; no speed is a goal yet, since none was ever measured.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.figure import Figure, machine, tell
from bench.worlds.scenes import make_garden, read_garden
from praxiscope_worlds import Camera, GaussianWorld
from praxiscope_worlds.kernels import CpuKernels, CudaKernels, PictureGradients, RenderOptions, SplatKernels
from tests.support.parity import GRADIENT, PICTURE, find_disagreement
from tools.cuda.toolkit import KERNELS

ROUNDS, SLOW_ROUNDS = 21, 3
# Copies of the garden: columns and rows, and how far apart.
GRID, STEP_M = (7, 5), (6.0, 9.0)
PARAMETERS = ("means_m", "quaternions_wxyz", "log_scales", "opacity_logits", "sh")


def main() -> int:
    """Prints all figures; ends with code 1 where the two backends disagree."""
    cuda, cpu = CudaKernels(KERNELS), CpuKernels(KERNELS, thread_count=len(os.sched_getaffinity(0)))
    print(f"{machine()}; {cuda.device_name}, sm_{cuda.capability}")
    garden = make_garden()
    scenes = [("garden of our own", *garden), ("35 gardens", _repeat(garden[0]), garden[1])]
    if os.environ.get("GARDEN"):
        scenes.append(("test_garden.npz", *read_garden(Path(os.environ["GARDEN"]))))
    return 0 if all([compare_backends(name, cuda, cpu, world, camera) for name, world, camera in scenes]) else 1


def compare_backends(name: str, cuda: SplatKernels, cpu: CpuKernels, world: GaussianWorld, camera: Camera) -> bool:
    """Prints a scene's figures and returns whether both backends draw and differentiate it alike."""
    options = RenderOptions()
    expected, found = (each.render(world, camera, options, has_gradients=True) for each in (cpu, cuda))
    slopes = np.random.default_rng(0).standard_normal(found.color_rgb.shape).astype(np.float32)
    gradients = PictureGradients(color_rgb=slopes / slopes.size)
    print(f"\n{name}: {len(world)} Gaussians, {found.seen_count} seen, {found.intersection_count} intersections")
    times_ms = {
        each_name: (
            _time(lambda each=each: each.render(world, camera, options), rounds),
            _time(lambda each=each, drawn=drawn: each.differentiate(drawn, gradients), rounds),
        )
        for each_name, each, drawn, rounds in (("ours", cuda, found, ROUNDS), ("CPU", cpu, expected, SLOW_ROUNDS))
    }
    if peer_ms := _time_gsplat(world, camera, slopes / slopes.size):
        times_ms["gsplat"] = peer_ms
    for i, way in enumerate(("forward, all in", "backward, all in")):
        ours_ms = times_ms["ours"][i]
        figures = [Figure(name=f"{way}: {who}", value=each[i], unit="ms") for who, each in times_ms.items()]
        others = [who for who in times_ms if who != "ours"]
        figures += [Figure(name=f"  {who} over ours", value=times_ms[who][i] / ours_ms, unit="x") for who in others]
        tell(figures)
    ours, theirs = cuda.differentiate(found, gradients), cpu.differentiate(expected, gradients)
    problems = {"picture": find_disagreement(found.color_rgb, expected.color_rgb, PICTURE)}
    problems |= {each: find_disagreement(getattr(ours, each), getattr(theirs, each), GRADIENT) for each in PARAMETERS}
    for what, problem in problems.items():
        if problem is not None:
            print(f"  {what} is not the CPU's: {problem}")
    return not any(problems.values())


def _repeat(world: GaussianWorld) -> GaussianWorld:
    """Copies of a world, the first where it is, the others beside and behind it."""
    columns, rows = np.meshgrid(np.arange(GRID[0]) - GRID[0] // 2, np.arange(GRID[1]))
    shifts = np.stack([columns * STEP_M[0], np.zeros(columns.shape), -rows * STEP_M[1]], axis=-1).reshape(-1, 3)
    many = world.select(np.tile(np.arange(len(world)), len(shifts)))
    return replace(many, means_m=many.means_m + np.repeat(shifts, len(world), axis=0).astype(np.float32))


def _time(work: Callable[[], object], rounds: int) -> float:
    """The median of some rounds after a first one, in milliseconds."""
    work()
    times_ms = []
    for _ in range(rounds):
        started_s = time.perf_counter()
        work()
        times_ms.append(1e3 * (time.perf_counter() - started_s))
    return statistics.median(times_ms)


def _time_gsplat(world: GaussianWorld, camera: Camera, slopes: np.ndarray) -> tuple[float, float] | None:
    """The same job by gsplat, from numpy's arrays and back to them; None where it is not installed."""
    if importlib.util.find_spec("gsplat") is None or importlib.util.find_spec("torch") is None:
        print("  gsplat: not run: not installed")
        return None
    torch: Any = importlib.import_module("torch")
    rasterization: Any = importlib.import_module("gsplat").rasterization

    def send(values: np.ndarray) -> Any:
        return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32)).cuda()

    calibration = np.eye(3)
    calibration[(0, 1), (0, 1)], calibration[:2, 2] = camera.focal_px, camera.centre_px

    def draw(has_gradients: bool) -> tuple[list[Any], Any]:
        parameters = [
            send(values).requires_grad_(has_gradients)
            for values in (world.means_m, world.quaternions_wxyz, world.log_scales, world.opacity_logits, world.sh)
        ]
        means, quaternions, log_scales, logits, sh = parameters
        colors, _, _ = rasterization(
            means,
            quaternions,
            torch.exp(log_scales),
            torch.sigmoid(logits),
            sh,
            send(camera.camera_from_world)[None],
            send(calibration)[None],
            camera.width_px,
            camera.height_px,
            sh_degree=world.sh_degree,
        )
        return parameters, colors

    def forward() -> object:
        with torch.no_grad():
            return draw(False)[1].cpu().numpy()

    parameters, colors = draw(True)

    def backward() -> object:
        loss = (colors[0] * send(slopes)).sum()
        return [slope.cpu().numpy() for slope in torch.autograd.grad(loss, parameters, retain_graph=True)]

    return _time(forward, ROUNDS), _time(backward, ROUNDS)


if __name__ == "__main__":
    sys.exit(main())
