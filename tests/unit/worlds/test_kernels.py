"""The backends of the kernels against each other, against finite differences, and at their edges.

`cuda-emulated` is the CUDA kernels' source on the host (`tests/support/cuda_emulation`); `make cuda-check` runs all this on a device, as `cuda`.
"""

from __future__ import annotations

import functools
import itertools
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from praxiscope_worlds import SH_C0, Camera, GaussianWorld, InvalidWorldError
from praxiscope_worlds.kernels import (
    AdamSettings,
    CpuKernels,
    CudaKernels,
    InvalidPictureError,
    KernelsMissingError,
    PictureGradients,
    ReferenceKernels,
    Rendering,
    RenderOptions,
    SplatKernels,
    WorldGradients,
    WorldTooDenseError,
)
from praxiscope_worlds.kernels._cpu import LEVELS, _read_flags
from tests.support.cuda_emulation import EmulatedCudaKernels
from tests.support.parity import DEPTH, GRADIENT, PICTURE, find_disagreement
from tests.support.worlds import LOOKING_FORWARD, make_camera, make_world
from tools.devstack.settings import CHECKOUT

FOLDER = CHECKOUT / ".praxiscope" / "kernels"
REFERENCE = ReferenceKernels()
CPU = CpuKernels(FOLDER, thread_count=2)
PARAMETERS = ("means_m", "quaternions_wxyz", "log_scales", "opacity_logits", "sh")
# A run on a device is for it alone.
CUDA_NAMES = ("cuda",) if os.environ.get("PRAXISCOPE_TEST_CUDA") else ("cuda-emulated",)


@functools.cache
def open_cuda(name: str) -> CudaKernels:
    return CudaKernels(FOLDER) if name == "cuda" else EmulatedCudaKernels()


@pytest.fixture(params=["reference", "cpu", *CUDA_NAMES])
def kernels(request: pytest.FixtureRequest) -> SplatKernels:
    """Every backend."""
    name: str = request.param
    return {"reference": REFERENCE, "cpu": CPU}[name] if name not in CUDA_NAMES else open_cuda(name)


@pytest.fixture(params=[*LEVELS, *CUDA_NAMES])
def fast(request: pytest.FixtureRequest, tmp_path: Path) -> SplatKernels:
    """Every backend but the definition; the C++ kernels held to one level of instructions."""
    level: str = request.param
    if level in CUDA_NAMES:
        return open_cuda(level)
    if not _read_flags().issuperset(LEVELS[level]):
        pytest.skip(f"this processor is below {level}")
    shutil.copy(FOLDER / f"splat-{level}.so", tmp_path)
    kernels = CpuKernels(tmp_path, thread_count=2)
    assert kernels.level == level
    return kernels


def make_gradients(rendering: Rendering, *, seed: int = 5) -> PictureGradients:
    random = np.random.default_rng(seed)

    def normal(like: np.ndarray | None) -> np.ndarray | None:
        return None if like is None else random.standard_normal(like.shape).astype(np.float32)

    color = normal(rendering.color_rgb)
    assert color is not None
    return PictureGradients(
        color_rgb=color,
        alpha=normal(rendering.alpha),
        depth_m=normal(rendering.depth_m),
        normals=normal(rendering.normals),
    )


def check_agreement(found: Rendering, expected: Rendering) -> None:
    assert found.seen_count == expected.seen_count
    assert found.unusable_count == expected.unusable_count
    for name in ("color_rgb", "alpha", "depth_m", "normals"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert (ours is None) == (theirs is None)
        if ours is not None:
            problem = find_disagreement(ours, theirs, DEPTH if name == "depth_m" else PICTURE)
            assert problem is None, (name, problem)


def check_gradients(found: WorldGradients, expected: WorldGradients) -> None:
    # The fast backend may find that an ellipse whose box touches the picture does not.
    assert not (found.is_seen & ~expected.is_seen).any()
    for name in (*PARAMETERS, "screen"):
        problem = find_disagreement(getattr(found, name), getattr(expected, name), GRADIENT)
        assert problem is None, (name, problem)


@pytest.mark.parametrize("is_antialiased", [False, True])
@pytest.mark.parametrize("sh_degree", range(4))
@pytest.mark.parametrize("size_px", [(1, 1), (16, 16), (37, 29), (64, 48)])
def test_the_fast_backend_draws_and_differentiates_as_the_definition(
    fast: SplatKernels, size_px: tuple[int, int], sh_degree: int, is_antialiased: bool
) -> None:
    world, camera = make_world(60, sh_degree=sh_degree, seed=sh_degree + size_px[0]), make_camera(*size_px)
    options = RenderOptions(background_rgb=(0.1, 0.4, 0.9), is_antialiased=is_antialiased, has_geometry=True)
    expected = REFERENCE.render(world, camera, options, has_gradients=True)
    found = fast.render(world, camera, options, has_gradients=True)
    check_agreement(found, expected)
    assert found.intersection_count <= expected.intersection_count
    gradients = make_gradients(expected)
    check_gradients(fast.differentiate(found, gradients), REFERENCE.differentiate(expected, gradients))


def test_colour_alone_is_as_with_geometry(fast: SplatKernels) -> None:
    world, camera = make_world(200, sh_degree=1), make_camera(50, 40)
    plain = fast.render(world, camera, RenderOptions(), has_gradients=True)
    full = fast.render(world, camera, RenderOptions(has_geometry=True), has_gradients=True)
    assert np.array_equal(plain.color_rgb, full.color_rgb)
    gradients = replace(make_gradients(plain), alpha=None)
    found, expected = fast.differentiate(plain, gradients), fast.differentiate(full, gradients)
    for name in PARAMETERS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-4, atol=1e-6)


def test_pixels_close_behind_opaque_gaussians(fast: SplatKernels) -> None:
    """Many opaque layers, so that nearly all pixels stop before their list ends."""
    world = make_world(300, log_scale=-0.5, seed=4)
    world = replace(world, opacity_logits=np.full(300, 6.0, np.float32))
    camera, options = make_camera(48, 40), RenderOptions(background_rgb=(1.0, 0.0, 1.0))
    expected = REFERENCE.render(world, camera, options, has_gradients=True)
    found = fast.render(world, camera, options, has_gradients=True)
    assert (expected.alpha > 0.99).mean() > 0.9
    check_agreement(found, expected)
    gradients = make_gradients(expected)
    check_gradients(fast.differentiate(found, gradients), REFERENCE.differentiate(expected, gradients))


@pytest.mark.parametrize("ulps", [0, 1], ids=["one depth", "the last is nearest by a hair"])
def test_order_is_by_depth_to_the_last_bit_then_by_index(fast: SplatKernels, ulps: int) -> None:
    """Plates one over the other, each with a colour of its own."""
    world, camera = make_world(40, sh_degree=0, log_scale=-1.0), make_camera(40, 34)
    means = world.means_m.copy()
    means[:, 2] = (-3.0 + ulps * np.arange(40) * np.spacing(np.float32(3.0))).astype(np.float32)
    assert len(np.unique(means[:, 2])) == (40 if ulps else 1)
    world = replace(world, means_m=means, opacity_logits=np.full(40, 1.0, np.float32))
    for chosen in (np.arange(40), np.arange(40)[::-1]):
        ordered = world.select(chosen)
        expected = REFERENCE.render(ordered, camera, RenderOptions(), has_gradients=True)
        found = fast.render(ordered, camera, RenderOptions(), has_gradients=True)
        check_agreement(found, expected)
        gradients = make_gradients(expected)
        check_gradients(fast.differentiate(found, gradients), REFERENCE.differentiate(expected, gradients))


def test_needles_that_all_but_lie_along_a_row_reach_no_tile_outside_the_picture(fast: SplatKernels) -> None:
    """In a row of tiles such a one is farther to the side than an int can count pixels, though it crosses the picture in another."""
    random, count = np.random.default_rng(1), 2000
    world, camera = make_world(count, sh_degree=0), make_camera(80, 64)
    log_scales = np.full((count, 3), -3.0, np.float32)
    log_scales[:, 0] = random.uniform(8, 27, count)
    turned = np.zeros((count, 4), np.float32)
    turned[:, 0] = 1.0
    turned[:, 3] = 10.0 ** random.uniform(-11, -2, count) * random.choice([-1, 1], count)
    world = replace(
        world, log_scales=log_scales, quaternions_wxyz=turned, opacity_logits=np.full(count, 2.0, np.float32)
    )
    found = fast.render(world, camera, RenderOptions())
    assert 0 < found.intersection_count <= count * 5 * 4
    assert np.isfinite(found.color_rgb).all()


def test_numbers_beyond_all_sense_reach_no_picture(fast: SplatKernels) -> None:
    """Numbers of every size in every place, also those that overflow on the way."""
    random = np.random.default_rng(9)
    sizes = np.array([0.0, 1e-38, 1e-20, 1e-5, 1.0, 30.0, 87.0, 1e4, 1e19, 3e38, np.inf, np.nan])
    world, camera = make_world(600, sh_degree=2), make_camera(40, 30)
    for name in PARAMETERS:
        values = getattr(world, name).copy().reshape(600, -1)
        hurt = random.random(600) < 0.25
        values[hurt, random.integers(values.shape[1], size=600)[hurt]] = (
            random.choice(sizes, 600) * random.choice([-1.0, 1.0], 600)
        )[hurt]
        world = replace(world, **{name: values.reshape(getattr(world, name).shape)})
    for is_antialiased in (False, True):
        options = RenderOptions(is_antialiased=is_antialiased, has_geometry=True)
        drawn = fast.render(world, camera, options, has_gradients=True)
        assert 0 < drawn.seen_count < 600 and 0 < drawn.unusable_count < 600
        assert drawn.normals is not None and drawn.depth_m is not None
        assert np.isfinite(drawn.color_rgb).all() and np.isfinite(drawn.normals).all()
        assert np.array_equal(np.isnan(drawn.depth_m), drawn.alpha == 0.0)
        gradients = fast.differentiate(drawn, make_gradients(drawn))
        for name in PARAMETERS:
            assert not getattr(gradients, name)[~gradients.is_seen].any()


def test_the_same_input_gives_the_same_bits(fast: SplatKernels) -> None:
    world, camera = make_world(120, sh_degree=2, seed=8), make_camera(40, 35)
    options = RenderOptions(has_geometry=True, is_antialiased=True)
    first, *others = [fast.render(world, camera, options, has_gradients=True) for _ in range(3)]
    gradients = make_gradients(first)
    expected = fast.differentiate(first, gradients)
    for drawn in others:
        assert np.array_equal(drawn.color_rgb, first.color_rgb) and np.array_equal(drawn.alpha, first.alpha)
        found = fast.differentiate(drawn, gradients)
        for name in (*PARAMETERS, "screen", "is_seen"):
            assert np.array_equal(getattr(found, name), getattr(expected, name)), name


def loss_of(rendering: Rendering, gradients: PictureGradients) -> float:
    """The loss whose gradient by the picture is `gradients`, in float64 before the picture is rounded."""
    saved = rendering.saved
    left = saved.through
    color = saved.sums[..., :3] + left[..., None] * np.asarray(saved.options.background_rgb)
    depth = saved.sums[..., 3] / (1.0 - left)
    values = ((gradients.color_rgb, color), (gradients.alpha, 1.0 - left), (gradients.depth_m, depth))
    return sum(float(np.sum(slope * value)) for slope, value in (*values, (gradients.normals, saved.sums[..., 4:])))


@pytest.mark.parametrize("is_antialiased", [False, True])
@pytest.mark.parametrize("name", PARAMETERS)
def test_gradients_are_finite_differences(name: str, is_antialiased: bool) -> None:
    """Gaussians that cover the whole small picture, so that no pixel is at a jump."""
    random = np.random.default_rng(3)
    world = make_world(6, sh_degree=3, seed=11, log_scale=0.8)
    world = replace(world, opacity_logits=random.uniform(-1.0, 0.5, 6).astype(np.float32), sh=0.3 * world.sh)
    camera = make_camera(7, 5)
    options = RenderOptions(background_rgb=(0.2, 0.5, 0.3), is_antialiased=is_antialiased, has_geometry=True)
    drawn = REFERENCE.render(world, camera, options, has_gradients=True)
    gradients = make_gradients(drawn)
    slopes = getattr(REFERENCE.differentiate(drawn, gradients), name).astype(np.float64)
    values = getattr(world, name)
    for _ in range(4):
        direction = random.standard_normal(values.shape)
        steps = [(values + sign * 3e-4 * direction).astype(np.float32) for sign in (1.0, -1.0)]
        losses = [
            loss_of(REFERENCE.render(replace(world, **{name: step}), camera, options, has_gradients=True), gradients)
            for step in steps
        ]
        expected = float(np.sum(slopes * (steps[0].astype(np.float64) - steps[1])))
        assert losses[0] - losses[1] == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_a_gaussian_stands_where_the_conventions_say(kernels: SplatKernels) -> None:
    """x right, y up, seen from the origin along -z; rows go down."""
    world = GaussianWorld(
        means_m=np.array([[0.5, 0.25, -2.0]], np.float32),
        quaternions_wxyz=np.array([[2.0, 0, 0, 0]], np.float32),
        log_scales=np.log(np.array([[0.05, 0.05, 0.01]], np.float32)),
        opacity_logits=np.array([3.0], np.float32),
        sh=np.array([[[0.5, 0.0, -0.5]]], np.float32) / np.float32(SH_C0),
    )
    camera = Camera(
        width_px=100, height_px=80, focal_px=(80.0, 80.0), centre_px=(50.0, 40.0), world_from_camera=LOOKING_FORWARD
    )
    drawn = kernels.render(world, camera, RenderOptions(has_geometry=True))
    row, column = np.unravel_index(np.argmax(drawn.alpha), drawn.alpha.shape)
    # 50 + 80 * 0.5 / 2 = 70 and 40 - 80 * 0.25 / 2 = 30: the corner of four pixels.
    assert (row, column) in set(itertools.product((29, 30), (69, 70)))
    assert drawn.color_rgb[row, column] == pytest.approx(drawn.alpha[row, column] * np.array([1.0, 0.5, 0.0]), abs=1e-4)
    assert drawn.depth_m is not None and drawn.normals is not None
    assert drawn.depth_m[row, column] == pytest.approx(2.0, abs=1e-5)
    assert drawn.normals[row, column] == pytest.approx([0.0, 0.0, drawn.alpha[row, column]], abs=1e-5)
    assert np.isnan(drawn.depth_m[0, 0]) and drawn.alpha[0, 0] == 0.0


def test_moving_world_and_camera_together_changes_nothing(kernels: SplatKernels) -> None:
    world, camera = make_world(40, seed=2), make_camera(40, 30)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    moved_from_camera = np.eye(4)
    moved_from_camera[:3, :3] = turn @ LOOKING_FORWARD[:3, :3]
    moved_from_camera[:3, 3] = [3.0, -1.0, 2.0]
    w, x, y, z = world.quaternions_wxyz.T
    half = np.float32(np.sqrt(0.5))  # a quarter of a turn about z, from the left
    moved = replace(
        world,
        means_m=(world.means_m @ turn.T + [3.0, -1.0, 2.0]).astype(np.float32),
        quaternions_wxyz=half * np.stack([w - z, x - y, x + y, w + z], axis=1),
    )
    first = kernels.render(world, camera, RenderOptions())
    second = kernels.render(moved, make_camera(40, 30, world_from_camera=moved_from_camera), RenderOptions())
    np.testing.assert_allclose(first.color_rgb, second.color_rgb, atol=5e-3)
    assert np.abs(first.color_rgb - second.color_rgb).mean() < 1e-5


@pytest.mark.parametrize("where", ["nowhere", "behind the camera"])
def test_a_world_without_anything_to_see_is_background(kernels: SplatKernels, where: str) -> None:
    world = make_world(0 if where == "nowhere" else 10)
    world = replace(world, means_m=-world.means_m)
    options = RenderOptions(background_rgb=(0.25, 0.5, 0.75), has_geometry=True)
    drawn = kernels.render(world, make_camera(20, 10), options, has_gradients=True)
    assert drawn.seen_count == drawn.intersection_count == drawn.unusable_count == 0
    assert (drawn.color_rgb == np.float32([0.25, 0.5, 0.75])).all() and not drawn.alpha.any()
    assert drawn.depth_m is not None and np.isnan(drawn.depth_m).all()
    gradients = kernels.differentiate(drawn, make_gradients(drawn))
    assert not any(getattr(gradients, name).any() for name in PARAMETERS)


@pytest.mark.parametrize(("name", "value"), [*itertools.product(PARAMETERS, [np.nan, np.inf]), ("log_scales", 80.0)])
def test_a_gaussian_with_an_unusable_number_is_left_out_and_counted(
    kernels: SplatKernels, name: str, value: float
) -> None:
    world, camera = make_world(12, sh_degree=1, log_scale=-1.0), make_camera(30, 20)
    good = kernels.render(world.select(np.arange(12) != 5), camera, RenderOptions())
    spoiled = getattr(world, name).copy()
    spoiled[5] = value
    drawn = kernels.render(replace(world, **{name: spoiled}), camera, RenderOptions(), has_gradients=True)
    # A colour is looked at where the Gaussian is seen; number 5 is.
    assert drawn.unusable_count == 1
    np.testing.assert_allclose(drawn.color_rgb, good.color_rgb, atol=1e-6)
    gradients = kernels.differentiate(drawn, make_gradients(drawn))
    for parameter in PARAMETERS:
        assert np.isfinite(getattr(gradients, parameter)).all() and not getattr(gradients, parameter)[5].any()


def test_a_quaternion_of_no_length_is_unusable(kernels: SplatKernels) -> None:
    world = make_world(3)
    quaternions = world.quaternions_wxyz.copy()
    quaternions[1] = 0.0
    drawn = kernels.render(replace(world, quaternions_wxyz=quaternions), make_camera(8, 8), RenderOptions())
    assert drawn.unusable_count == 1


def test_huge_gaussians_are_refused_before_memory_is_taken(fast: SplatKernels) -> None:
    world = make_world(2000, log_scale=3.0)
    with pytest.raises(WorldTooDenseError) as caught:
        fast.render(world, make_camera(640, 480), RenderOptions(max_intersections=100_000))
    assert int(caught.value.metadata["intersection_count"]) > 100_000
    with pytest.raises(WorldTooDenseError):
        REFERENCE.render(make_world(20, log_scale=3.0), make_camera(64, 48), RenderOptions(max_intersections=100))


def test_a_picture_beyond_all_bounds_is_refused(kernels: SplatKernels) -> None:
    for size_px in ((1_000_000, 1_000_000), (100_000, 1)):
        with pytest.raises(InvalidPictureError):
            kernels.render(make_world(1), make_camera(*size_px), RenderOptions())


def test_gradients_that_do_not_fit_are_refused(kernels: SplatKernels) -> None:
    world, camera = make_world(3), make_camera(8, 6)
    color = np.zeros((6, 8, 3), np.float32)
    drawn = kernels.render(world, camera, RenderOptions(), has_gradients=True)
    wrong = [
        PictureGradients(color_rgb=color[:5]),
        PictureGradients(color_rgb=color.astype(np.float64)),
        PictureGradients(color_rgb=color, alpha=np.zeros((8, 6), np.float32)),
        PictureGradients(color_rgb=color, depth_m=np.zeros((6, 8), np.float32)),
    ]
    for gradients in wrong:
        with pytest.raises(InvalidPictureError):
            kernels.differentiate(drawn, gradients)
    with pytest.raises(InvalidPictureError):
        kernels.differentiate(kernels.render(world, camera, RenderOptions()), PictureGradients(color_rgb=color))


@pytest.mark.parametrize(
    "options", [{"near_m": 0.0}, {"max_alpha": 1.0}, {"sh_degree": 4}, {"background_rgb": (2, 0, 0)}]
)
def test_options_outside_their_ranges_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(InvalidWorldError):
        RenderOptions(**options)  # pyright: ignore[reportArgumentType]


def test_the_number_of_threads_changes_nothing() -> None:
    world, camera = make_world(3000, sh_degree=2), make_camera(90, 70)
    results = []
    for thread_count in (1, 2, 5):
        kernels = CpuKernels(FOLDER, thread_count=thread_count)
        drawn = kernels.render(world, camera, RenderOptions(), has_gradients=True)
        results.append(
            (drawn, kernels.differentiate(drawn, replace(make_gradients(drawn), depth_m=None, normals=None)))
        )
    for drawn, gradients in results[1:]:
        assert np.array_equal(drawn.color_rgb, results[0][0].color_rgb)
        for name in PARAMETERS:
            assert np.array_equal(getattr(gradients, name), getattr(results[0][1], name))


def test_lower_degrees_leave_the_higher_coefficients_alone(fast: SplatKernels) -> None:
    world, camera = make_world(30, sh_degree=3), make_camera(20, 20)
    drawn = fast.render(world, camera, RenderOptions(sh_degree=1), has_gradients=True)
    cut = fast.render(replace(world, sh=world.sh[:, :4]), camera, RenderOptions())
    assert np.array_equal(drawn.color_rgb, cut.color_rgb)
    slopes = fast.differentiate(drawn, replace(make_gradients(drawn), depth_m=None, normals=None)).sh
    assert slopes[:, :4].any() and not slopes[:, 4:].any()


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 7, 3), (37, 45, 3), (64, 33, 3)])
@pytest.mark.parametrize("ssim_share", [0.0, 0.2, 1.0])
def test_backends_compare_pictures_alike(fast: SplatKernels, shape: tuple[int, ...], ssim_share: float) -> None:
    random = np.random.default_rng(0)
    wanted = random.random(shape).astype(np.float32)
    drawn = np.clip(wanted + 0.2 * random.standard_normal(shape), 0.0, 1.0).astype(np.float32)
    found, expected = (kernels.compare(drawn, wanted, ssim_share=ssim_share) for kernels in (fast, REFERENCE))
    assert (found.value, found.l1, found.ssim) == pytest.approx((expected.value, expected.l1, expected.ssim), abs=1e-6)
    np.testing.assert_allclose(found.gradient, expected.gradient, atol=1e-4 * np.abs(expected.gradient).max())


def test_the_loss_has_its_finite_differences() -> None:
    random = np.random.default_rng(0)
    drawn, wanted, direction = (random.random((13, 17, 3)).astype(np.float32) for _ in range(3))
    slope = REFERENCE.compare(drawn, wanted, ssim_share=0.2).gradient.astype(np.float64)
    steps = [(drawn + sign * 1e-4 * direction).astype(np.float32) for sign in (1.0, -1.0)]
    losses = [REFERENCE.compare(step, wanted, ssim_share=0.2).value for step in steps]
    expected = float(np.sum(slope * (steps[0].astype(np.float64) - steps[1])))
    assert losses[0] - losses[1] == pytest.approx(expected, rel=1e-3)


def test_pictures_that_are_equal_are_as_similar_as_can_be(kernels: SplatKernels) -> None:
    picture = np.random.default_rng(0).random((20, 20, 3)).astype(np.float32)
    loss = kernels.compare(picture, picture, ssim_share=0.2)
    assert (loss.value, loss.ssim) == pytest.approx((0.0, 1.0), abs=1e-6)
    with pytest.raises(InvalidPictureError):
        kernels.compare(picture, picture[:10], ssim_share=0.2)


@pytest.mark.parametrize("has_mask", [False, True])
def test_backends_step_alike(fast: SplatKernels, has_mask: bool) -> None:
    random = np.random.default_rng(0)
    start = [random.random((50, 2, 3)).astype(np.float32) for _ in range(3)]
    moved = [[array.copy() for array in start] for _ in range(2)]
    mask = random.random(50) < 0.5 if has_mask else None
    rates = np.array([0.1, 0.2, 0.3, 0.01, 0.02, 0.03], np.float32)
    for step in (1, 2, 3):
        gradients = random.standard_normal((50, 2, 3)).astype(np.float32)
        for kernels, (values, first, second) in zip((fast, REFERENCE), moved, strict=True):
            kernels.step_adam(
                values,
                gradients,
                first,
                second,
                learning_rates=rates,
                step=step,
                settings=AdamSettings(),
                is_moved=mask,
            )
    for found, expected in zip(*moved, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
    if mask is not None:
        assert np.array_equal(moved[0][0][~mask], start[0][~mask])


def test_threads_that_the_system_does_not_give_are_an_error() -> None:
    """In a process of its own, whose threads are limited to those it has."""
    program = (
        "import resource, sys; from pathlib import Path; from praxiscope_worlds.kernels import *;"
        "from tests.support.worlds import *; world, camera = make_world(50), make_camera(32, 32);"
        "kernels = CpuKernels(Path(sys.argv[1]), thread_count=64);"
        # What a thread's stack takes is address space.
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize();"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), used + (64 << 20)))\n"
        "try: kernels.render(world, camera, RenderOptions())\n"
        "except KernelsBusyError as error: print(error.reason)"
    )
    environment = {"PYTHONPATH": os.pathsep.join([str(CHECKOUT), *sys.path]), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, str(FOLDER)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=CHECKOUT, env=environment, timeout=60
    )
    assert (done.returncode, done.stdout.strip()) == (0, "KERNELS_BUSY"), done.stderr


def test_a_folder_without_a_library_is_told(tmp_path: Path) -> None:
    with pytest.raises(KernelsMissingError, match="g\\+\\+"):
        CpuKernels(tmp_path, thread_count=1)
    with pytest.raises(KernelsMissingError):
        CpuKernels(FOLDER, thread_count=0)
