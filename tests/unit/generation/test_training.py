"""A training on a tiny made scene: it learns, resumes, holds its budget, repeats itself, and refuses what cannot be trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from generation_service.core.config import TIERS, TrainingConfig
from generation_service.core.density import find_faint, grow_by_opacity, relocate
from generation_service.core.errors import (
    InvalidTrainingConfigError,
    InvalidTrainingInputError,
    InvalidTrainingStateError,
)
from generation_service.core.gaussians import plant
from generation_service.core.metrics import apply_colors, average, fit_colors, measure_psnr, measure_view
from generation_service.core.trainer import WorldTrainer, resume_training, start_training
from generation_service.core.types import PARAMETERS, SparsePoints, View
from praxiscope_worlds import Camera, GaussianWorld
from praxiscope_worlds.kernels import CpuKernels, RenderOptions
from tests.support.worlds import make_world
from tools.devstack.settings import CHECKOUT

KERNELS = CpuKernels(CHECKOUT / ".praxiscope" / "kernels", thread_count=2)
SIDE_PX = 40
# The scene hangs in the dark, and has no points of a wall behind it.
CONFIG = TrainingConfig(
    step_count=60,
    budget=400,
    density_every=10,
    density_from=0.1,
    sh_degree=1,
    sh_every=0.3,
    half_size_until=0.0,
    has_random_background=False,
)
MCMC = replace(CONFIG, density="mcmc", noise=5e5)
every_density = pytest.mark.parametrize("config", [CONFIG, MCMC], ids=["gradient", "mcmc"])


def look_from(angle_rad: float) -> Camera:
    """A camera four metres from the scene's middle, on a circle, that looks at it."""
    forward = np.array([-np.sin(angle_rad), 0.0, -np.cos(angle_rad)])
    down = np.array([0.0, -1.0, 0.0])
    pose = np.eye(4)
    pose[:3, :3] = np.stack([np.cross(down, forward), down, forward], axis=1)
    pose[:3, 3] = -4.0 * forward
    return Camera(
        width_px=SIDE_PX,
        height_px=SIDE_PX,
        focal_px=(40.0, 40.0),
        centre_px=(SIDE_PX / 2, SIDE_PX / 2),
        world_from_camera=pose,
    )


def make_scene() -> tuple[GaussianWorld, list[View], SparsePoints]:
    """A world, pictures of it from ten places, and points of it that are a little off."""
    random = np.random.default_rng(7)
    world = make_world(80, seed=3)
    world = replace(world, means_m=(0.7 * (world.means_m - np.array([0.0, 0.0, -4.0]))).astype(np.float32))
    views = []
    for angle_rad in np.linspace(-0.5, 0.5, 10):
        camera = look_from(float(angle_rad))
        drawn = KERNELS.render(world, camera, RenderOptions())
        views.append(View(image_rgb=np.rint(255 * np.clip(drawn.color_rgb, 0, 1)).astype(np.uint8), camera=camera))
    places = np.repeat(world.means_m, 2, axis=0) + 0.05 * random.standard_normal((160, 3))
    points = SparsePoints(positions_m=places, colors_rgb=random.integers(60, 200, (160, 3), dtype=np.uint8))
    return world, views, points


WORLD, VIEWS, POINTS = make_scene()
HELD_OUT, TRAINING = VIEWS[5], VIEWS[:5] + VIEWS[6:]


def start(config: TrainingConfig = CONFIG, *, seed: int = 0) -> WorldTrainer:
    return start_training(KERNELS, TRAINING, POINTS, config, seed=seed)


def run(trainer: WorldTrainer) -> list[float]:
    losses = []
    while not trainer.is_done:
        losses.append(trainer.step().loss)
    return losses


@every_density
def test_the_loss_goes_down_and_a_view_that_was_not_seen_comes_nearer(config: TrainingConfig) -> None:
    trainer = start(config)
    before = trainer.measure(HELD_OUT)
    losses = run(trainer)
    assert np.mean(losses[-9:]) < 0.6 * np.mean(losses[:9])
    assert trainer.measure(HELD_OUT).corrected_psnr_db > before.corrected_psnr_db + 2.0


@every_density
def test_a_training_that_is_resumed_ends_as_one_that_was_not(config: TrainingConfig) -> None:
    whole, cut = start(config), start(config)
    run(whole)
    for _ in range(27):
        cut.step()
    resumed = resume_training(KERNELS, TRAINING, config, cut.save())
    for _ in range(5):
        cut.step()  # what goes on with the old one does not reach the saved state
    run(resumed)
    for name in PARAMETERS:
        assert np.array_equal(getattr(resumed.world(), name), getattr(whole.world(), name))


@every_density
def test_the_same_seed_makes_the_same_world_and_another_another(config: TrainingConfig) -> None:
    worlds = []
    for seed in (1, 1, 2):
        trainer = start(config, seed=seed)
        run(trainer)
        worlds.append(trainer.world())
    assert np.array_equal(worlds[0].means_m, worlds[1].means_m)
    assert worlds[0].means_m.shape != worlds[2].means_m.shape or not np.array_equal(
        worlds[0].means_m, worlds[2].means_m
    )


@every_density
def test_the_budget_is_held(config: TrainingConfig) -> None:
    trainer = start(replace(config, budget=190, growth=1.0))
    counts = []
    while not trainer.is_done:
        counts.append(trainer.step().gaussian_count)
    assert max(counts) <= 190
    assert counts[-1] > len(POINTS.positions_m)
    trainer = start(replace(config, budget=50))
    assert trainer.step().gaussian_count == 50


def test_harmonics_come_one_after_another() -> None:
    trainer = start(replace(CONFIG, sh_degree=2))
    degrees = []
    while not trainer.is_done:
        degrees.append(trainer.step().sh_degree)
    assert degrees[0] == 0 and sorted(degrees) == degrees and degrees[-1] == 2
    assert trainer.world().sh_degree == 2


def test_halved_pictures_are_trained_on_first() -> None:
    trainer = start(replace(CONFIG, half_size_until=0.5))
    reports = [trainer.step() for _ in range(60)]
    assert [report.downscale for report in reports] == [2] * 30 + [1] * 30


def test_exposure_of_each_view_is_learnt() -> None:
    """One picture is twice as dark as the scene; the world need not be."""
    dark = replace(TRAINING[2], image_rgb=TRAINING[2].image_rgb // 2)
    views = [*TRAINING[:2], dark, *TRAINING[3:]]
    for rate in (0.0, 0.02):
        trainer = start_training(KERNELS, views, POINTS, replace(CONFIG, exposures_rate=rate), seed=0)
        run(trainer)
        gains = trainer.save().exposures[:, range(3), range(3)].mean(axis=1)
        if rate:
            assert np.argmin(gains) == 2 and gains[2] < np.median(gains) - 0.05
        else:
            assert (gains == 1.0).all()


def test_the_world_has_the_mean_exposure_of_its_photos() -> None:
    state = start().save()
    state.exposures[:] = np.array([[0.5, 0.1, 0, 0.2], [0, 0.8, 0, 0.1], [0, 0, 0.9, 0.0]], np.float32)
    plain = start().world()
    found = KERNELS.render(resume_training(KERNELS, TRAINING, CONFIG, state).world(), HELD_OUT.camera, RenderOptions())
    drawn = KERNELS.render(plain, HELD_OUT.camera, RenderOptions())
    expected = drawn.color_rgb @ state.exposures[0, :, :3].T + drawn.alpha[..., None] * state.exposures[0, :, 3]
    assert found.color_rgb == pytest.approx(expected, abs=2e-3)


def test_what_is_at_the_edge_of_a_picture_does_not_matter() -> None:
    """Undistorted photos have black edges, at half the size too."""
    config = replace(CONFIG, half_size_until=0.5, edge_px=4)
    framed = []
    for view in TRAINING:
        image = np.zeros_like(view.image_rgb)
        image[4:-4, 4:-4] = view.image_rgb[4:-4, 4:-4]
        framed.append(replace(view, image_rgb=image))
    for edge_px, is_same in ((4, True), (3, False)):
        worlds = []
        for views in (TRAINING, framed):
            trainer = start_training(KERNELS, views, POINTS, replace(config, edge_px=edge_px), seed=0)
            run(trainer)
            worlds.append(trainer.world())
        assert np.array_equal(worlds[0].means_m, worlds[1].means_m) is is_same


def test_before_a_random_background_the_world_closes_its_gaps() -> None:
    """A dark wall fills every picture: before black, nothing at all would do."""
    views = [replace(view, image_rgb=np.full_like(view.image_rgb, 10)) for view in TRAINING]
    covers = []
    for has_random_background in (False, True):
        config = replace(CONFIG, has_random_background=has_random_background)
        trainer = start_training(KERNELS, views, POINTS, config, seed=0)
        run(trainer)
        drawn = KERNELS.render(trainer.world(), HELD_OUT.camera, RenderOptions(is_antialiased=True))
        covers.append(float(drawn.alpha.mean()))
    assert covers[1] > covers[0] + 0.1


def test_dividing_gaussians_hardly_changes_the_picture() -> None:
    points = replace(POINTS, positions_m=POINTS.positions_m[:60], colors_rgb=POINTS.colors_rgb[:60])
    gaussians = plant(points, start_opacity=0.7, start_scale=1.0, extent_m=4.0)
    before = KERNELS.render(gaussians.to_world(), HELD_OUT.camera, RenderOptions())
    grow_by_opacity(gaussians, count=60, random=np.random.default_rng(0))
    after = KERNELS.render(gaussians.to_world(), HELD_OUT.camera, RenderOptions())
    assert len(gaussians) == 120
    assert np.abs(after.color_rgb - before.color_rgb).mean() < 0.15 * before.color_rgb.mean()


def test_faint_gaussians_are_moved_onto_others_and_numbers_are_mended() -> None:
    gaussians = plant(POINTS, start_opacity=0.5, start_scale=1.0, extent_m=4.0)
    gaussians.values["opacity_logits"][3] = -9.0
    gaussians.values["means_m"][4] = np.nan
    is_faint = find_faint(gaussians, min_opacity=0.005)
    assert np.flatnonzero(is_faint).tolist() == [3, 4]
    relocate(gaussians, is_faint, random=np.random.default_rng(0))
    assert not find_faint(gaussians, min_opacity=0.005).any()


def test_all_gaussians_faint_is_no_end() -> None:
    for config in (CONFIG, MCMC):
        trainer = start(replace(config, min_opacity=0.9999))
        assert np.isfinite(run(trainer)).all()
        assert len(trainer.world()) >= len(POINTS.positions_m)


@pytest.mark.parametrize(
    ("views", "points", "word"),
    [
        pytest.param(VIEWS[:1], POINTS, "posed pictures", id="one picture"),
        pytest.param([], POINTS, "posed pictures", id="no picture"),
        pytest.param([VIEWS[0]] * 4, POINTS, "one place", id="one place"),
        pytest.param(
            VIEWS,
            SparsePoints(positions_m=np.zeros((0, 3)), colors_rgb=np.zeros((0, 3), np.uint8)),
            "points",
            id="no points",
        ),
        pytest.param(
            VIEWS,
            replace(POINTS, positions_m=np.full_like(POINTS.positions_m, np.nan)),
            "not a number",
            id="NaN points",
        ),
        pytest.param(
            VIEWS, replace(POINTS, colors_rgb=POINTS.colors_rgb[:9]), "Points must be", id="colours do not fit"
        ),
    ],
)
def test_what_cannot_be_trained_on_is_refused(views: list[View], points: SparsePoints, word: str) -> None:
    with pytest.raises(InvalidTrainingInputError, match=word):
        start_training(KERNELS, views, points, CONFIG, seed=0)


def test_points_that_coincide_can_be_trained_on() -> None:
    points = replace(POINTS, positions_m=np.zeros_like(POINTS.positions_m))
    trainer = start_training(KERNELS, TRAINING, points, CONFIG, seed=0)
    assert np.isfinite(run(trainer)).all()


def test_a_picture_that_is_not_its_cameras_is_refused() -> None:
    view = VIEWS[0]
    for image in (view.image_rgb[:30], view.image_rgb.astype(np.float32), view.image_rgb[..., 0]):
        with pytest.raises(InvalidTrainingInputError, match="camera's picture"):
            View(image_rgb=image, camera=view.camera)
    with pytest.raises(InvalidTrainingInputError, match="pixels a side"):
        View(image_rgb=view.image_rgb[:8, :8], camera=replace(view.camera, width_px=8, height_px=8))


def test_states_that_do_not_fit_are_refused() -> None:
    state = start().save()
    wrong = [
        replace(state, version=99),
        replace(state, exposures=state.exposures[:3]),
        replace(state, pulls=state.pulls[:3]),
        replace(state, values={**state.values, "sh": state.values["sh"][:, :, :2]}),
        replace(state, first_moments={"sh": state.values["sh"]}),
    ]
    for broken in wrong:
        with pytest.raises(InvalidTrainingStateError):
            resume_training(KERNELS, TRAINING, CONFIG, broken)
    trainer = start(replace(CONFIG, step_count=1))
    trainer.step()
    with pytest.raises(InvalidTrainingStateError, match="done"):
        trainer.step()


def test_numbers_outside_their_ranges_are_refused() -> None:
    for changes in ({"step_count": 0}, {"budget": 1}, {"growth": -1.0}, {"density": "magic"}, {"means_rate": np.nan}):
        with pytest.raises(InvalidTrainingConfigError):
            replace(CONFIG, **changes)


def test_the_tiers_are_three_and_cost_more_from_one_to_the_next() -> None:
    assert list(TIERS) == ["draft", "standard", "high"]
    steps = [config.step_count for config in TIERS.values()]
    assert steps == sorted(steps)


def test_psnr_is_what_its_formula_says() -> None:
    picture = np.full((10, 10, 3), 0.5, np.float32)
    assert measure_psnr(picture, picture) == float("inf")
    assert measure_psnr(picture, picture + np.float32(0.1)) == pytest.approx(20.0, abs=1e-4)
    with pytest.raises(InvalidTrainingInputError):
        measure_psnr(picture, picture[:5])


def test_a_change_of_colours_is_found_and_does_not_count() -> None:
    random = np.random.default_rng(0)
    wanted = random.random((30, 30, 3)).astype(np.float32) * np.float32(0.5) + np.float32(0.25)
    change = np.array([[0.6, 0.1, 0.0, 0.1], [0.0, 0.7, 0.1, 0.05], [0.05, 0.0, 0.8, 0.02]])
    drawn = apply_colors(change, wanted)
    assert fit_colors(wanted, drawn) == pytest.approx(change, abs=1e-5)
    quality = measure_view(KERNELS, drawn, wanted)
    assert quality.psnr_db < 25.0 and quality.corrected_psnr_db > 80.0 and quality.corrected_ssim > 0.999
    # A noisy edge is left out, noise within is not.
    drawn[:4] = 0.0
    assert measure_view(KERNELS, drawn, wanted).corrected_psnr_db > 80.0
    drawn[10:14] = 0.0
    assert measure_view(KERNELS, drawn, wanted).corrected_psnr_db < 30.0
    assert fit_colors(np.zeros_like(wanted), wanted)[:, 3] == pytest.approx(
        wanted[4:-4, 4:-4].mean(axis=(0, 1)), abs=1e-5
    )


def test_means_are_over_views() -> None:
    quality = measure_view(KERNELS, np.zeros((20, 20, 3), np.float32), np.full((20, 20, 3), 0.1, np.float32))
    assert average([quality, quality]) == quality
    with pytest.raises(InvalidTrainingInputError):
        average([])
