"""Fits Gaussians to posed pictures, one step a call.

    views, points ─► plant ─► step: draw ─► correct colours ─► compare ─► gradients ─► Adam ─► now and then change the density ─► world

Whoever drives it decides when to stop, to look and to save: a `WorldTrainer` holds the training, `step()` advances it, `world()` is what there is, `save()`
all that a training is. Every random number comes from the seed and the number of the step, so that a training that is restored goes on as if it had never
stopped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from generation_service.core.config import TrainingConfig
from generation_service.core.density import find_faint, grow_by_gradient, grow_by_opacity, relocate, shake
from generation_service.core.errors import InvalidTrainingInputError, InvalidTrainingStateError
from generation_service.core.gaussians import Gaussians, plant
from generation_service.core.metrics import ViewQuality, apply_colors, measure_view
from generation_service.core.types import (
    PARAMETERS,
    Float32Array,
    SparsePoints,
    StepReport,
    TrainingState,
    UInt8Array,
    View,
)
from praxiscope_worlds import SH_C0, SH_COUNTS, Camera, GaussianWorld
from praxiscope_worlds.kernels import AdamSettings, PictureGradients, RenderOptions, SplatKernels, WorldGradients

STATE_VERSION = 1
MIN_VIEW_COUNT = 3
# The scene's extent over the largest distance of a camera from their middle; 3DGS's.
EXTENT_MARGIN = 1.1
# What a step's random numbers are for, so that no two uses share a stream.
_ORDER, _DENSITY, _NOISE, _BACKGROUND = range(4)


class WorldTrainer:
    """One training. Not for two threads at once."""

    def __init__(
        self,
        kernels: SplatKernels,
        views: Sequence[View],
        config: TrainingConfig,
        state: TrainingState,
        *,
        extent_m: float,
    ) -> None:
        """Goes on from a state; `start_training` and `resume_training` make one."""
        self._kernels, self._config, self._extent_m = kernels, config, extent_m
        self._pictures = [_Picture(view, has_half=config.half_size_until > 0.0) for view in views]
        self._step, self._seed = state.step, state.seed
        tables = (state.values, state.first_moments, state.second_moments)
        copies = [{name: array.copy() for name, array in table.items()} for table in tables]
        self._gaussians = Gaussians(values=copies[0], first=copies[1], second=copies[2])
        self._exposures, self._exposure_moments = state.exposures.copy(), state.exposure_moments.copy()
        self._pulls, self._seen_counts = state.pulls.copy(), state.seen_counts.copy()
        self._adam = AdamSettings()

    @property
    def is_done(self) -> bool:
        """Whether all steps are done."""
        return self._step >= self._config.step_count

    @property
    def progress(self) -> float:
        """Share of the steps that are done, 0 to 1."""
        return self._step / self._config.step_count

    def world(self) -> GaussianWorld:
        """Returns what there is, as a copy, in the mean exposure of its photos.

        What is brighter, the world or all photos, cannot be told; the training lets that drift.
        """
        values = {name: array.copy() for name, array in self._gaussians.values.items()}
        mean = self._exposures.mean(axis=0)
        values["sh"] = np.ascontiguousarray(values["sh"] @ mean[:, :3].T)
        # Colour is 0.5 + C0 s: the half is changed as well, and the offset goes into the constant coefficient.
        values["sh"][:, 0] += (mean[:, :3].sum(axis=1) * np.float32(0.5) + mean[:, 3] - np.float32(0.5)) / np.float32(
            SH_C0
        )
        return GaussianWorld(**values)

    def save(self) -> TrainingState:
        """Copies all that the training is."""
        gaussians = self._gaussians
        tables = (gaussians.values, gaussians.first, gaussians.second)
        values, first, second = ({name: array.copy() for name, array in table.items()} for table in tables)
        return TrainingState(
            version=STATE_VERSION,
            step=self._step,
            seed=self._seed,
            values=values,
            first_moments=first,
            second_moments=second,
            exposures=self._exposures.copy(),
            exposure_moments=self._exposure_moments.copy(),
            pulls=self._pulls.copy(),
            seen_counts=self._seen_counts.copy(),
        )

    def measure(self, view: View) -> ViewQuality:
        """Draws what there is from a view's camera and compares it with its picture."""
        drawn = self._kernels.render(self.world(), view.camera, self._options())
        return measure_view(self._kernels, drawn.color_rgb, view.image_rgb.astype(np.float32) / np.float32(255.0))

    def step(self) -> StepReport:
        """Takes one step on one view.

        Raises:
            InvalidTrainingStateError: All steps are done.
            WorldTooDenseError: The world has grown beyond what can be drawn; a smaller budget helps.
        """
        if self.is_done:
            raise InvalidTrainingStateError("All steps of this training are done.")
        config, gaussians = self._config, self._gaussians
        self._step += 1
        while gaussians.sh_degree < min(config.sh_degree, int(self.progress / max(config.sh_every, 1e-9))):
            gaussians.raise_degree()
        i_view = self._choose_view()
        is_half = self.progress <= config.half_size_until
        camera, wanted = self._pictures[i_view].at(is_half=is_half)

        options = replace(self._options(), background_rgb=self._choose_background())
        drawn = self._kernels.render(gaussians.to_world(), camera, options, has_gradients=True)
        exposure = self._exposures[i_view]
        planes = np.moveaxis(drawn.color_rgb, 2, 0).reshape(3, -1)
        corrected = exposure[:, :3] @ planes + exposure[:, 3:]
        shape = (3, camera.height_px, camera.width_px)
        loss, slope = self._compare(corrected.reshape(shape), wanted, edge_px=config.edge_px // (2 if is_half else 1))
        back = np.ascontiguousarray(exposure[:, :3].T @ slope)
        gradients = self._kernels.differentiate(
            drawn, PictureGradients(color_rgb=np.moveaxis(back.reshape(shape), 0, 2))
        )
        self._step_exposure(i_view, np.concatenate([slope @ planes.T, slope.sum(axis=1, keepdims=True)], axis=1))
        self._step_gaussians(gradients)
        self._note_pulls(gradients, camera)
        self._change_density()
        return StepReport(
            step=self._step,
            loss=loss,
            gaussian_count=len(gaussians),
            sh_degree=gaussians.sh_degree,
            downscale=2 if is_half else 1,
        )

    def _compare(
        self, drawn_planes: Float32Array, wanted_rgb: Float32Array, *, edge_px: int
    ) -> tuple[float, Float32Array]:
        """Compares all but the outer pixels; returns the loss and its slope by the drawn planes, [3, H W], 0 at the edges."""
        height, width = drawn_planes.shape[1:]
        rows, columns = slice(edge_px, height - edge_px), slice(edge_px, width - edge_px)
        loss = self._kernels.compare(
            np.moveaxis(drawn_planes[:, rows, columns], 0, 2),
            wanted_rgb[rows, columns],
            ssim_share=self._config.ssim_share,
        )
        slope = np.zeros_like(drawn_planes)
        slope[:, rows, columns] = np.moveaxis(loss.gradient, 2, 0)
        return loss.value, slope.reshape(3, -1)

    def _options(self) -> RenderOptions:
        return RenderOptions(
            is_antialiased=self._config.is_antialiased, near_m=max(self._config.near_share * self._extent_m, 1e-6)
        )

    def _random(self, purpose: int, number: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, purpose, number])

    def _choose_view(self) -> int:
        """Every view once in an order of chance, then every view again in another."""
        i_round, i_place = divmod(self._step - 1, len(self._pictures))
        return int(self._random(_ORDER, i_round).permutation(len(self._pictures))[i_place])

    def _choose_background(self) -> tuple[float, float, float]:
        """What is drawn behind everything in this step: black, or a colour that no Gaussian can have counted on."""
        if not self._config.has_random_background:
            return (0.0, 0.0, 0.0)
        red, green, blue = self._random(_BACKGROUND, self._step).random(3)
        return (float(red), float(green), float(blue))

    def _step_exposure(self, i_view: int, gradient: Float32Array) -> None:
        config = self._config
        if config.exposures_rate == 0.0:
            return
        rates = np.full(12, config.exposures_rate * 0.1**self.progress, np.float32)
        one = slice(i_view, i_view + 1)
        # Views take turns, so a view's own steps are counted for Adam's corrections.
        self._kernels.step_adam(
            self._exposures[one],
            np.ascontiguousarray(gradient[None], dtype=np.float32),
            self._exposure_moments[0, one],
            self._exposure_moments[1, one],
            learning_rates=rates,
            step=(self._step - 1) // len(self._pictures) + 1,
            settings=self._adam,
        )

    def _step_gaussians(self, gradients: WorldGradients) -> None:
        config, gaussians = self._config, self._gaussians
        late = max(0.0, self.progress - config.rates_until) / max(1.0 - config.rates_until, 1e-9)
        decay = config.rates_end**late
        means_decay = (config.means_rate_end / config.means_rate) ** self.progress if config.means_rate > 0.0 else 1.0
        sh_rates = np.full((gaussians.values["sh"].shape[1], 3), config.harmonics_rate * decay, np.float32)
        sh_rates[0] = config.colors_rate * decay
        rates = {
            "means_m": np.full(3, config.means_rate * means_decay * self._extent_m, np.float32),
            "quaternions_wxyz": np.full(4, config.quaternions_rate, np.float32),
            "log_scales": np.full(3, config.scales_rate * decay, np.float32),
            "opacity_logits": np.full(1, config.opacities_rate * decay, np.float32),
            "sh": sh_rates.ravel(),
        }
        self._pull_together(gradients)
        for name in PARAMETERS:
            self._kernels.step_adam(
                gaussians.values[name],
                getattr(gradients, name),
                gaussians.first[name],
                gaussians.second[name],
                learning_rates=rates[name],
                step=self._step,
                settings=self._adam,
            )
        if config.noise > 0.0:
            size = config.noise * config.means_rate * means_decay * self._extent_m
            shake(gaussians, size=size, random=self._random(_NOISE, self._step))

    def _pull_together(self, gradients: WorldGradients) -> None:
        """Adds the slopes of the mean opacity and the mean scale to the gradients, in place."""
        config, values = self._config, self._gaussians.values
        if config.opacity_pull > 0.0:
            opacities = 1.0 / (1.0 + np.exp(-values["opacity_logits"]))
            weight = np.float32(config.opacity_pull / len(opacities))
            gradients.opacity_logits[:] += weight * opacities * (1.0 - opacities)
        if config.scale_pull > 0.0:
            weight = np.float32(config.scale_pull / values["log_scales"].size)
            gradients.log_scales[:] += weight * np.exp(values["log_scales"])

    def _note_pulls(self, gradients: WorldGradients, camera: Camera) -> None:
        # In halves of the picture, so that its size does not matter (3DGS's normalised device coordinates).
        self._pulls += gradients.screen * np.float32(0.5 * max(camera.width_px, camera.height_px))
        self._seen_counts += gradients.is_seen

    def _change_density(self) -> None:
        config, gaussians = self._config, self._gaussians
        is_time = config.density_from <= self.progress <= config.density_to
        if self._step % config.density_every or not is_time:
            return
        random = self._random(_DENSITY, self._step)
        room = max(0, config.budget - len(gaussians))
        count = min(room, int(np.ceil(config.growth * len(gaussians))))
        is_faint = find_faint(gaussians, min_opacity=config.min_opacity)
        if config.density == "mcmc":
            relocate(gaussians, is_faint, random=random)
            grow_by_opacity(gaussians, count=count, random=random)
        else:
            # A training in which all are faint keeps them: it may only have begun.
            is_kept = ~is_faint | is_faint.all()
            pulls = np.asarray(self._pulls / np.maximum(self._seen_counts, 1.0), dtype=np.float32)[is_kept]
            gaussians.keep(is_kept)
            grow_by_gradient(
                gaussians,
                pulls,
                count=count,
                split_above_m=config.split_share * self._extent_m,
                shrink=config.split_shrink,
                random=random,
            )
        self._pulls = np.zeros(len(gaussians), np.float32)
        self._seen_counts = np.zeros(len(gaussians), np.float32)


class _Picture:
    """A view's picture as the steps want it: planes of bytes, and of half the size where that is trained on."""

    def __init__(self, view: View, *, has_half: bool) -> None:
        self._full = (view.camera, np.ascontiguousarray(np.moveaxis(view.image_rgb, 2, 0)))
        self._half = _halve(*self._full) if has_half else self._full

    def at(self, *, is_half: bool) -> tuple[Camera, Float32Array]:
        """Returns the camera and the picture, [H, W, 3], 0 to 1."""
        camera, planes = self._half if is_half else self._full
        return camera, np.moveaxis(np.multiply(planes, np.float32(1.0 / 255.0), dtype=np.float32), 0, 2)


def _halve(camera: Camera, planes: UInt8Array) -> tuple[Camera, UInt8Array]:
    """Averages two by two pixels; an odd last row or column is left out."""
    height, width = camera.height_px // 2, camera.width_px // 2
    blocks = planes[:, : 2 * height, : 2 * width].reshape(3, height, 2, width, 2)
    half = Camera(
        width_px=width,
        height_px=height,
        focal_px=(camera.focal_px[0] / 2, camera.focal_px[1] / 2),
        centre_px=(camera.centre_px[0] / 2, camera.centre_px[1] / 2),
        world_from_camera=camera.world_from_camera,
    )
    return half, np.rint(blocks.mean(axis=(2, 4))).astype(np.uint8)


def start_training(
    kernels: SplatKernels, views: Sequence[View], points: SparsePoints, config: TrainingConfig, *, seed: int
) -> WorldTrainer:
    """Begins a training.

    Args:
        kernels: What draws and differentiates.
        views: Posed pictures, three or more.
        points: Where the first Gaussians are.
        config: How.
        seed: Where all randomness comes from; 0 or more.

    Raises:
        InvalidTrainingInputError: There are too few views, they stand in one place, or the points are not usable.
    """
    extent_m = _measure_extent(views)
    gaussians = plant(
        _thin(points, config.budget, seed),
        start_opacity=config.start_opacity,
        start_scale=config.start_scale,
        extent_m=extent_m,
    )
    exposures = np.zeros((len(views), 3, 4), np.float32)
    exposures[:, :, :3] = np.eye(3, dtype=np.float32)
    nothing = np.zeros(len(gaussians), np.float32)
    state = TrainingState(
        version=STATE_VERSION,
        step=0,
        seed=seed,
        values=gaussians.values,
        first_moments=gaussians.first,
        second_moments=gaussians.second,
        exposures=exposures,
        exposure_moments=np.zeros((2, *exposures.shape), np.float32),
        pulls=nothing,
        seen_counts=nothing,
    )
    return WorldTrainer(kernels, views, config, state, extent_m=extent_m)


def resume_training(
    kernels: SplatKernels, views: Sequence[View], config: TrainingConfig, state: TrainingState
) -> WorldTrainer:
    """Goes on with a training that was saved, on the same views with the same configuration.

    Raises:
        InvalidTrainingInputError: The views are not usable.
        InvalidTrainingStateError: The state is of another layout, of other views, or its arrays do not fit together.
    """
    extent_m = _measure_extent(views)
    if state.version != STATE_VERSION:
        raise InvalidTrainingStateError(
            f"The state has layout {state.version}, this code reads {STATE_VERSION}; start anew.",
            metadata={"version": str(state.version)},
        )
    tables = (state.values, state.first_moments, state.second_moments)
    if any(set(table) != set(PARAMETERS) for table in tables) or len(state.exposures) != len(views):
        raise InvalidTrainingStateError("The state is of another training: parameters or number of views differ.")
    count = len(state.values["means_m"])
    shapes = {
        "means_m": (count, 3),
        "quaternions_wxyz": (count, 4),
        "log_scales": (count, 3),
        "opacity_logits": (count,),
    }
    sh_shapes = [(count, sh_count, 3) for sh_count in SH_COUNTS]
    for table in tables:
        for name, array in table.items():
            is_right = array.shape in sh_shapes if name == "sh" else array.shape == shapes[name]
            if array.dtype != np.float32 or not is_right or array.shape != state.values[name].shape:
                raise InvalidTrainingStateError(f"{name} of the state is {array.dtype} of {array.shape}.")
    if state.pulls.shape != (count,) or state.seen_counts.shape != (count,):
        raise InvalidTrainingStateError("The state's counts are not those of its Gaussians.")
    return WorldTrainer(kernels, views, config, state, extent_m=extent_m)


def correct_view(trainer_state: TrainingState, i_view: int, picture_rgb: Float32Array) -> Float32Array:
    """Applies the colour correction that a training found for one of its views to a drawn picture, [H, W, 3]."""
    return apply_colors(trainer_state.exposures[i_view], picture_rgb)


def _measure_extent(views: Sequence[View]) -> float:
    if len(views) < MIN_VIEW_COUNT:
        raise InvalidTrainingInputError(
            f"A world needs {MIN_VIEW_COUNT} posed pictures, there are {len(views)}; take more photos from other places.",
            metadata={"view_count": str(len(views))},
        )
    places = np.stack([view.camera.position_m for view in views])
    extent_m = EXTENT_MARGIN * float(np.max(np.linalg.norm(places - places.mean(axis=0), axis=1)))
    if not np.isfinite(extent_m) or extent_m <= 0.0:
        raise InvalidTrainingInputError("All pictures were taken from one place; nothing can be measured from there.")
    return extent_m


def _thin(points: SparsePoints, budget: int, seed: int) -> SparsePoints:
    """Leaves as many points as there may be Gaussians."""
    if len(points.positions_m) <= budget:
        return points
    chosen = np.sort(
        np.random.default_rng([seed, len(points.positions_m)]).permutation(len(points.positions_m))[:budget]
    )
    return replace(points, positions_m=points.positions_m[chosen], colors_rgb=points.colors_rgb[chosen])
