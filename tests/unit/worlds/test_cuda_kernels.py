"""What the CUDA kernels are held to beyond parity (`test_kernels.py`): on the host, by their own source behind stand-ins for CUDA.

This proves their logic, and under the sanitizers that nothing in it races or steps outside. It proves nothing of a GPU's compiler, memory or speed, which is
for `make cuda-check`.
"""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from praxiscope_worlds import GaussianWorld
from praxiscope_worlds.kernels import (
    AdamSettings,
    CpuKernels,
    CudaKernels,
    InvalidPictureError,
    KernelsBusyError,
    KernelsMissingError,
    PictureGradients,
    ReferenceKernels,
    RenderOptions,
    WorldTooDenseError,
    open_kernels,
)
from tests.support.cuda_emulation import EmulatedCudaKernels, build
from tests.support.parity import GRADIENT, PICTURE, find_disagreement
from tests.support.worlds import make_camera, make_world
from tools.devstack.settings import CHECKOUT

PARAMETERS = ("means_m", "quaternions_wxyz", "log_scales", "opacity_logits", "sh", "screen", "is_seen")
OPTIONS = RenderOptions(background_rgb=(0.2, 0.1, 0.4), has_geometry=True, is_antialiased=True)


@pytest.fixture(scope="module")
def kernels() -> EmulatedCudaKernels:
    return EmulatedCudaKernels()


def compute_all(kernels: CudaKernels, world: GaussianWorld, size_px: tuple[int, int] = (61, 45)) -> list[np.ndarray]:
    """Every number that every function gives."""
    camera = make_camera(*size_px)
    drawn = kernels.render(world, camera, OPTIONS, has_gradients=True)
    assert drawn.depth_m is not None and drawn.normals is not None
    random = np.random.default_rng(1)
    slopes, wanted = (random.random(drawn.color_rgb.shape).astype(np.float32) for _ in range(2))
    gradients = PictureGradients(color_rgb=slopes, alpha=slopes[..., 0], depth_m=slopes[..., 1], normals=slopes)
    found = kernels.differentiate(drawn, gradients)
    loss = kernels.compare(drawn.color_rgb, wanted, ssim_share=0.3)
    values, first, second = (np.ones((len(world), 3), np.float32) for _ in range(3))
    kernels.step_adam(
        values,
        found.means_m,
        first,
        second,
        learning_rates=np.full(3, 0.1, np.float32),
        step=2,
        settings=AdamSettings(),
        is_moved=found.is_seen,
    )
    return [
        *(drawn.color_rgb, drawn.alpha, drawn.depth_m, drawn.normals),
        *(getattr(found, name) for name in PARAMETERS),
        *(np.array([loss.l1, loss.ssim]), loss.gradient, values, first, second),
    ]


def test_the_order_of_threads_and_blocks_changes_nothing(kernels: EmulatedCudaKernels) -> None:
    world = make_world(250, sh_degree=3, seed=3)
    expected = compute_all(kernels, world)
    for seed in (1, 2, 3):
        with kernels.ordered(seed):
            for found, wanted in zip(compute_all(kernels, world), expected, strict=True):
                assert np.array_equal(found, wanted, equal_nan=True)


def test_lists_longer_than_a_batch_are_blended_to_their_end(kernels: EmulatedCudaKernels) -> None:
    """Thin layers, 700 to a tile: three batches on the way there, twenty-two on the way back."""
    world = make_world(700, log_scale=-0.3, seed=5)
    world = replace(world, opacity_logits=np.full(700, -4.2, np.float32))
    camera, cpu = make_camera(33, 20), CpuKernels(CHECKOUT / ".praxiscope" / "kernels", thread_count=1)
    found, expected = (each.render(world, camera, OPTIONS, has_gradients=True) for each in (kernels, cpu))
    assert found.intersection_count > 3 * 256
    assert find_disagreement(found.color_rgb, expected.color_rgb, PICTURE) is None
    gradients = PictureGradients(color_rgb=np.random.default_rng(0).random((20, 33, 3)).astype(np.float32))
    slopes, wanted = kernels.differentiate(found, gradients), cpu.differentiate(expected, gradients)
    for name in PARAMETERS[:-1]:
        assert find_disagreement(getattr(slopes, name), getattr(wanted, name), GRADIENT) is None, name


def test_a_drawing_is_kept_until_nobody_wants_it(kernels: EmulatedCudaKernels) -> None:
    world, camera = make_world(50), make_camera(40, 30)
    gc.collect()
    before = kernels.live_bytes
    kernels.render(world, camera, OPTIONS)
    assert kernels.live_bytes == before
    first = kernels.render(world, camera, OPTIONS, has_gradients=True)
    second = kernels.render(world.select(np.arange(20)), camera, OPTIONS, has_gradients=True)
    assert kernels.live_bytes > before
    gradients = PictureGradients(color_rgb=np.ones((30, 40, 3), np.float32))
    once, other, again = (kernels.differentiate(each, gradients) for each in (first, second, first))
    assert np.array_equal(once.means_m, again.means_m) and len(other.means_m) == 20
    del first, second
    gc.collect()
    assert kernels.live_bytes == before


def test_a_device_that_is_full_is_told_and_nothing_stays(kernels: EmulatedCudaKernels) -> None:
    """Wherever the memory runs out."""
    world, size_px = make_world(12, sh_degree=1), (18, 17)
    gc.collect()
    before = kernels.live_bytes
    for piece_count in itertools.count():
        with kernels.limited(piece_count):
            try:
                compute_all(kernels, world, size_px)
                break
            except KernelsBusyError as error:
                assert "memory" in error.message
        assert kernels.live_bytes == before
    assert piece_count > 40  # the last one was enough, and every one before it was one too few


def test_a_world_that_is_too_dense_is_refused_before_its_lists_take_memory(kernels: EmulatedCudaKernels) -> None:
    world, camera = make_world(500, log_scale=3.0), make_camera(640, 480)
    # Five of the world's arrays, the records, the offsets, their counts, two counters and the scan's own; the lists would be next.
    with kernels.limited(10), pytest.raises(WorldTooDenseError):
        kernels.render(world, camera, RenderOptions(max_intersections=100_000))
    with kernels.limited(10), pytest.raises(KernelsBusyError):
        kernels.render(world, camera, RenderOptions())


def test_calls_may_run_side_by_side(kernels: EmulatedCudaKernels) -> None:
    worlds = [make_world(60, seed=seed) for seed in range(4)]
    expected = [compute_all(kernels, world) for world in worlds]
    with ThreadPoolExecutor(4) as pool:
        for found, wanted in zip(pool.map(lambda world: compute_all(kernels, world), worlds), expected, strict=True):
            assert all(np.array_equal(a, b, equal_nan=True) for a, b in zip(found, wanted, strict=True))


def test_a_picture_of_another_backend_is_refused(kernels: EmulatedCudaKernels) -> None:
    drawn = ReferenceKernels().render(make_world(3), make_camera(8, 6), RenderOptions(), has_gradients=True)
    with pytest.raises(InvalidPictureError):
        kernels.differentiate(drawn, PictureGradients(color_rgb=np.zeros((6, 8, 3), np.float32)))


def test_a_machine_without_a_device_or_a_library_is_told(kernels: EmulatedCudaKernels, tmp_path: Path) -> None:
    with kernels.without_devices(), pytest.raises(KernelsMissingError, match="no CUDA device 0 here"):
        EmulatedCudaKernels()
    with pytest.raises(KernelsMissingError, match="make setup-cuda"):
        CudaKernels(tmp_path)
    (tmp_path / "splat-cuda.so").write_bytes(b"no library")
    with pytest.raises(KernelsMissingError, match="anew"):
        CudaKernels(tmp_path)


def test_no_service_is_given_them_unasked(kernels: EmulatedCudaKernels, tmp_path: Path) -> None:
    """Not even where they are the only ones."""
    emulated = build(kernels.library_name, ["emulation.cpp"], EmulatedCudaKernels.flags)
    for name in (emulated.name, "splat-cuda.so"):
        (tmp_path / name).symlink_to(emulated)
    with pytest.raises(KernelsMissingError, match="g\\+\\+"):
        open_kernels(tmp_path, thread_count=1).render(make_world(1), make_camera(8, 8), RenderOptions())


def exercise(*flags: str, arguments: tuple[str, ...] = (), options: str = "") -> subprocess.CompletedProcess[str]:
    """Runs every kernel in a program of its own under a sanitizer."""
    name = "exercise-" + "-".join(flag.lstrip("-").replace("=", "-").replace(",", "-") for flag in flags)
    # Not optimised: a compiler drops reads that nobody uses, and with them races.
    program = build(name, ["exercise.cpp"], ("-O0", "-g1", *flags))
    return subprocess.run(
        [str(program), *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=90,
        env={"PATH": os.environ["PATH"], "TSAN_OPTIONS": options},
    )


SHARED_MEMORY = f"suppressions={CHECKOUT / 'tests' / 'support' / 'cuda_emulation' / 'shared_memory.txt'}"


@pytest.mark.xdist_group("sanitizers")
def test_no_kernel_steps_outside_of_its_memory() -> None:
    done = exercise("-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all("1 unusable" in line for line in lines), lines


@pytest.mark.xdist_group("sanitizers")
@pytest.mark.parametrize("arguments", [(), ("blocks-apart",)], ids=["in a block", "between blocks"])
def test_no_threads_race(arguments: tuple[str, ...]) -> None:
    done = exercise("-fsanitize=thread", arguments=arguments, options=SHARED_MEMORY if arguments else "")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.xdist_group("sanitizers")
def test_threads_that_race_are_found() -> None:
    """Barriers that order nothing, and blocks that all write one number."""
    flags = ("-fsanitize=thread", "-DEMULATION_UNORDERED")
    done = exercise(*flags)
    for kernel in ("draw_tiles", "differentiate_tiles", "sum_block"):
        assert f"in void splat::{kernel}" in done.stderr or f"in splat::{kernel}" in done.stderr, kernel
    assert "in write_the_same" not in done.stderr
    done = exercise(*flags, arguments=("blocks-apart",), options=SHARED_MEMORY)
    assert done.returncode != 0 and "in write_the_same" in done.stderr
