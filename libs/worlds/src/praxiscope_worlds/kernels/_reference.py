"""The definition of the kernels: numpy, float64, one Gaussian over the whole picture after the other.

Source: B. Kerbl et al., "3D Gaussian Splatting for Real-Time Radiance Field Rendering", SIGGRAPH 2023 (projection after M. Zwicker et al., "EWA Splatting",
2002); opacity compensation: Z. Yu et al., "Mip-Splatting", CVPR 2024, eq. 9; similarity: Z. Wang et al., "Image Quality Assessment", 2004.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int

from praxiscope_worlds._camera import Camera
from praxiscope_worlds._gaussians import GaussianWorld
from praxiscope_worlds.kernels._errors import InvalidPictureError, WorldTooDenseError
from praxiscope_worlds.kernels._harmonics import evaluate_harmonics, slope_harmonics
from praxiscope_worlds.kernels._types import (
    FRAME_MARGIN,
    MIN_ALPHA,
    MIN_TRANSMITTANCE,
    SSIM_C1,
    SSIM_C2,
    SSIM_REACH_PX,
    SSIM_SIGMA_PX,
    AdamSettings,
    PictureGradients,
    PictureLoss,
    Rendering,
    RenderOptions,
    WorldGradients,
    check_array,
    check_picture,
    count_active_sh,
)

_TILE_PX = 16


@dataclass(frozen=True, kw_only=True, eq=False)
class _Projected:
    """N Gaussians in the picture; see `_project`."""

    local: Float64[np.ndarray, "N 3"]  # in the camera's frame
    centres_px: Float64[np.ndarray, "N 2"]
    directions: Float64[np.ndarray, "N 3"]  # from the camera, of length 1
    distances: Float64[np.ndarray, " N"]
    rotations: Float64[np.ndarray, "N 3 3"]  # world_from_gaussian
    spreads: Float64[np.ndarray, "N 3 3"]  # rotations, columns times the scales
    slopes: Float64[np.ndarray, "N 2 3"]  # of the picture's place by the world's
    is_free: Bool[np.ndarray, "N 2"]  # where the perspective's slope is not held
    raw_covariances: Float64[np.ndarray, "N 2 2"]
    covariances: Float64[np.ndarray, "N 2 2"]  # with the low pass
    sigmoids: Float64[np.ndarray, " N"]
    opacities: Float64[np.ndarray, " N"]  # after compensation
    features: Float64[np.ndarray, "N 7"]  # colour, depth, normal
    shortest: Int[np.ndarray, " N"]
    normal_signs: Float64[np.ndarray, " N"]
    harmonics: Float64[np.ndarray, "N K"]
    is_usable: Bool[np.ndarray, " N"]
    order: Int[np.ndarray, " M"]  # the seen ones, from near to far
    intersection_count: int


@dataclass(frozen=True, kw_only=True, eq=False)
class _Saved:
    world: GaussianWorld
    camera: Camera
    options: RenderOptions
    projected: _Projected
    sums: Float64[np.ndarray, "H W 7"]
    through: Float64[np.ndarray, "H W"]


class ReferenceKernels:
    """The kernels as short as they can be written. Minutes where `CpuKernels` takes a second."""

    def render(
        self, world: GaussianWorld, camera: Camera, options: RenderOptions, *, has_gradients: bool = False
    ) -> Rendering:
        """Draws a world; see `SplatKernels.render`."""
        check_picture(camera)
        projected = _project(world, camera, options)
        if projected.intersection_count > options.max_intersections:
            raise WorldTooDenseError(
                metadata={
                    "intersection_count": str(projected.intersection_count),
                    "max_intersections": str(options.max_intersections),
                }
            )
        pixels = _pixel_centres(camera)
        through = np.ones((camera.height_px, camera.width_px))
        is_open = np.ones_like(through, dtype=np.bool_)
        sums = np.zeros((*through.shape, 7))
        for i_gaussian in projected.order:
            alpha, _, is_open = _cover(projected, i_gaussian, pixels, through, is_open, options)
            sums += (alpha * through)[..., None] * projected.features[i_gaussian]
            through = through * (1.0 - alpha)
        color = sums[..., :3] + through[..., None] * np.asarray(options.background_rgb)
        depth = np.full_like(through, np.nan)
        np.divide(sums[..., 3], 1.0 - through, out=depth, where=through < 1.0)
        saved = _Saved(world=world, camera=camera, options=options, projected=projected, sums=sums, through=through)
        return Rendering(
            color_rgb=color.astype(np.float32),
            alpha=(1.0 - through).astype(np.float32),
            depth_m=depth.astype(np.float32) if options.has_geometry else None,
            normals=sums[..., 4:].astype(np.float32) if options.has_geometry else None,
            seen_count=len(projected.order),
            unusable_count=int(np.count_nonzero(~projected.is_usable)),
            intersection_count=projected.intersection_count,
            saved=saved if has_gradients else None,
        )

    def differentiate(self, rendering: Rendering, gradients: PictureGradients) -> WorldGradients:
        """Goes back from a picture's gradient to the world's; see `SplatKernels.differentiate`."""
        saved = rendering.saved
        if not isinstance(saved, _Saved):
            raise InvalidPictureError("The picture was drawn without has_gradients, or by another backend.")
        shape = saved.through.shape
        pulls, pull_alpha = np.zeros((*shape, 7)), np.zeros(shape)
        check_array("color_rgb", gradients.color_rgb, (*shape, 3))
        pulls[..., :3] = gradients.color_rgb
        if gradients.alpha is not None:
            check_array("alpha", gradients.alpha, shape)
            pull_alpha += gradients.alpha
        if not saved.options.has_geometry and (gradients.depth_m is not None or gradients.normals is not None):
            raise InvalidPictureError("Depth and normals were not drawn, so they have no gradient.")
        if gradients.depth_m is not None:
            check_array("depth_m", gradients.depth_m, shape)
            # depth = sum / alpha
            alpha = np.where(saved.through < 1.0, 1.0 - saved.through, np.inf)
            pulls[..., 3] = gradients.depth_m / alpha
            pull_alpha -= pulls[..., 3] * saved.sums[..., 3] / alpha
        if gradients.normals is not None:
            check_array("normals", gradients.normals, (*shape, 3))
            pulls[..., 4:] = gradients.normals
        # What is left of the light is the background's, and what alpha lacks.
        pull_left = pulls[..., :3] @ np.asarray(saved.options.background_rgb) - pull_alpha
        return _go_back(saved, pulls, pull_left)

    def compare(
        self, drawn_rgb: Float32[np.ndarray, "H W 3"], wanted_rgb: Float32[np.ndarray, "H W 3"], *, ssim_share: float
    ) -> PictureLoss:
        """Compares two pictures; see `SplatKernels.compare`."""
        if drawn_rgb.ndim != 3 or drawn_rgb.shape[2] != 3 or 0 in drawn_rgb.shape:
            raise InvalidPictureError(f"A picture must be [H, W, 3], is {drawn_rgb.shape}.")
        check_array("drawn_rgb", drawn_rgb, drawn_rgb.shape)
        check_array("wanted_rgb", wanted_rgb, drawn_rgb.shape)
        x, y = drawn_rgb.astype(np.float64), wanted_rgb.astype(np.float64)
        mean_x, mean_y = _blur(x), _blur(y)
        luminance_top, luminance_bottom = 2.0 * mean_x * mean_y + SSIM_C1, mean_x**2 + mean_y**2 + SSIM_C1
        structure_top = 2.0 * (_blur(x * y) - mean_x * mean_y) + SSIM_C2
        structure_bottom = (_blur(x * x) - mean_x**2) + (_blur(y * y) - mean_y**2) + SSIM_C2
        similarity = luminance_top * structure_top / (luminance_bottom * structure_bottom)
        # Slopes by the blurred x y, x x and x; the window is symmetric, so its transpose is itself.
        by_xy = 2.0 * luminance_top / (luminance_bottom * structure_bottom)
        by_xx = -similarity / structure_bottom
        by_x = 2.0 * mean_y * structure_top / (luminance_bottom * structure_bottom)
        by_x += -2.0 * mean_x * similarity / luminance_bottom - mean_y * by_xy - 2.0 * mean_x * by_xx
        slope = _blur(by_x) + 2.0 * x * _blur(by_xx) + y * _blur(by_xy)
        l1, ssim = float(np.mean(np.abs(x - y))), float(np.mean(similarity))
        gradient = ((1.0 - ssim_share) * np.sign(x - y) - ssim_share * slope) / x.size
        value = (1.0 - ssim_share) * l1 + ssim_share * (1.0 - ssim)
        return PictureLoss(value=value, l1=l1, ssim=ssim, gradient=gradient.astype(np.float32))

    def step_adam(
        self,
        values: Float32[np.ndarray, "N ..."],
        gradients: Float32[np.ndarray, "N ..."],
        first: Float32[np.ndarray, "N ..."],
        second: Float32[np.ndarray, "N ..."],
        *,
        learning_rates: Float32[np.ndarray, " D"],
        step: int,
        settings: AdamSettings,
        is_moved: Bool[np.ndarray, " N"] | None = None,
    ) -> None:
        """Moves parameters in place; see `SplatKernels.step_adam`."""
        for array in (gradients, first, second):
            check_array("an array of Adam's", array, values.shape)
        rows = np.ones(len(values), dtype=np.bool_) if is_moved is None else is_moved
        moved = gradients[rows]
        first[rows] += (1.0 - settings.beta1) * (moved - first[rows])
        second[rows] += (1.0 - settings.beta2) * (moved**2 - second[rows])
        mean = first[rows] / (1.0 - settings.beta1**step)
        spread = np.sqrt(second[rows] / (1.0 - settings.beta2**step)) + settings.epsilon
        values[rows] -= learning_rates.reshape(values.shape[1:]) * mean / spread


def _project(world: GaussianWorld, camera: Camera, options: RenderOptions) -> _Projected:
    """Ellipses, opacities and features of all Gaussians, and the order of those that may touch the picture."""
    with np.errstate(all="ignore"):  # what overflows or is no number is found below, and left out
        means, quaternions, log_scales, logits, sh = (
            array.astype(np.float64)
            for array in (
                world.means_m,
                world.quaternions_wxyz,
                world.log_scales,
                world.opacity_logits,
                world.sh[:, : count_active_sh(world, options)],
            )
        )
        camera_from_world = camera.camera_from_world
        local = means @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
        focal, size = np.asarray(camera.focal_px), np.array([camera.width_px, camera.height_px])
        depth = np.maximum(local[:, 2:], options.near_m)
        over_depth = local[:, :2] / depth
        low = (-FRAME_MARGIN * size - camera.centre_px) / focal
        high = ((1.0 + FRAME_MARGIN) * size - camera.centre_px) / focal
        held = np.clip(over_depth, low, high)
        # The slope of (fx x / z, fy y / z) by the place in the camera's frame, then by that in the world's.
        jacobian = np.zeros((len(means), 2, 3))
        jacobian[:, (0, 1), (0, 1)] = focal / depth
        jacobian[:, :, 2] = -focal * held / depth
        slopes = jacobian @ camera_from_world[:3, :3]  # [N, 2, 3]
        rotations = _rotations_of(quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True))
        spreads = rotations * np.exp(log_scales)[:, None, :]
        flat = slopes @ spreads
        raw = flat @ flat.swapaxes(1, 2)
        covariances = raw + options.low_pass_px2 * np.eye(2)
        sigmoids = 1.0 / (1.0 + np.exp(-logits))
        opacities = sigmoids.copy()
        if options.is_antialiased:
            opacities *= np.sqrt(np.maximum(np.linalg.det(raw), 0.0) / np.linalg.det(covariances))
        offsets = means - camera.position_m
        distances = np.linalg.norm(offsets, axis=1)
        directions = offsets / np.maximum(distances, 1e-15)[:, None]
        harmonics = evaluate_harmonics(directions, sh.shape[1])
        colors = np.maximum(0.5 + np.einsum("nk,nkc->nc", harmonics, sh), 0.0)
        shortest = np.argmin(log_scales, axis=1)
        normals = rotations[np.arange(len(means)), :, shortest]
        signs = np.where(np.einsum("ni,ni->n", normals, directions) > 0.0, -1.0, 1.0)
        features = np.concatenate([colors, local[:, 2:], signs[:, None] * normals], axis=1)
        numbers = np.concatenate([means, log_scales, logits[:, None], colors, covariances.reshape(-1, 4)], axis=1)
        # What overflows in float32, overflows.
        determinants = np.linalg.det(covariances).astype(np.float32)
        is_usable = np.isfinite(numbers).all(axis=1) & np.isfinite(determinants)
        is_usable &= np.linalg.norm(quaternions, axis=1) > 0.0

        centres = over_depth * focal + camera.centre_px
        budget = 2.0 * np.log(opacities / MIN_ALPHA)  # squared deviations at which alpha falls to its least
        reach = np.sqrt(np.maximum(budget, 0.0)[:, None] * covariances[:, (0, 1), (0, 1)])
        first = np.maximum(np.ceil(centres - reach - 0.5), 0.0)
        last = np.minimum(np.floor(centres + reach - 0.5), size - 1)
        is_seen = is_usable & (local[:, 2] > options.near_m) & (budget >= 0.0) & (first <= last).all(axis=1)
        order = np.flatnonzero(is_seen)
        order = order[np.argsort(local[order, 2].astype(np.float32), kind="stable")]
        # An upper bound: tiles of the boxes; a backend may find that an ellipse leaves out its box's corners.
        boxes = last[is_seen] // _TILE_PX - first[is_seen] // _TILE_PX + 1.0
    return _Projected(
        local=local,
        centres_px=centres,
        directions=directions,
        distances=distances,
        rotations=rotations,
        spreads=spreads,
        slopes=slopes,
        is_free=held == over_depth,
        raw_covariances=raw,
        covariances=covariances,
        sigmoids=sigmoids,
        opacities=opacities,
        features=features,
        shortest=shortest,
        normal_signs=signs,
        harmonics=harmonics,
        is_usable=is_usable,
        order=order,
        intersection_count=int(np.sum(np.prod(boxes, axis=1))),
    )


def _cover(
    projected: _Projected,
    i_gaussian: int,
    pixels: Float64[np.ndarray, "H W 2"],
    through: Float64[np.ndarray, "H W"],
    is_open: Bool[np.ndarray, "H W"],
    options: RenderOptions,
) -> tuple[Float64[np.ndarray, "H W"], Bool[np.ndarray, "H W"], Bool[np.ndarray, "H W"]]:
    """A Gaussian's alpha in each pixel, where it is not capped, and which pixels stay open."""
    offsets = pixels - projected.centres_px[i_gaussian]
    precision = np.linalg.inv(projected.covariances[i_gaussian])
    power = -0.5 * np.einsum("hwi,ij,hwj->hw", offsets, precision, offsets)
    full = projected.opacities[i_gaussian] * np.exp(power)
    alpha = np.where(is_open & (full >= MIN_ALPHA), np.minimum(full, options.max_alpha), 0.0)
    # A Gaussian that would leave too little light does not count, and nothing behind it does.
    is_open = is_open & (through * (1.0 - alpha) >= MIN_TRANSMITTANCE)
    return np.where(is_open, alpha, 0.0), full < options.max_alpha, is_open


def _go_back(
    saved: _Saved, pulls: Float64[np.ndarray, "H W 7"], pull_left: Float64[np.ndarray, "H W"]
) -> WorldGradients:
    """From the gradients of the seven blended features and of the light that is left."""
    projected, options, count = saved.projected, saved.options, len(saved.world)
    d_centres, d_precisions = np.zeros((count, 2)), np.zeros((count, 2, 2))
    d_log_opacities, d_features = np.zeros(count), np.zeros((count, 7))
    pixels = _pixel_centres(saved.camera)
    through = np.ones(saved.through.shape)
    is_open = np.ones_like(through, dtype=np.bool_)
    # What the pixel still gets from what is behind, weighed by its gradient.
    behind = np.einsum("hwf,hwf->hw", saved.sums, pulls) + saved.through * pull_left
    for i_gaussian in projected.order:
        alpha, is_uncapped, is_open = _cover(projected, i_gaussian, pixels, through, is_open, options)
        own = pulls @ projected.features[i_gaussian]
        behind = behind - alpha * through * own
        pull = np.where(is_uncapped, alpha * (own * through - behind / (1.0 - alpha)), 0.0)  # by the exponent
        offsets = pixels - projected.centres_px[i_gaussian]
        precision = np.linalg.inv(projected.covariances[i_gaussian])
        d_centres[i_gaussian] = np.einsum("hw,ij,hwj->i", pull, precision, offsets)
        d_precisions[i_gaussian] = -0.5 * np.einsum("hw,hwi,hwj->ij", pull, offsets, offsets)
        d_log_opacities[i_gaussian] = pull.sum()
        d_features[i_gaussian] = np.einsum("hw,hwf->f", alpha * through, pulls)
        through = through * (1.0 - alpha)
    return _go_back_to_world(saved, d_centres, d_precisions, d_log_opacities, d_features)


def _go_back_to_world(
    saved: _Saved,
    d_centres: Float64[np.ndarray, "N 2"],
    d_precisions: Float64[np.ndarray, "N 2 2"],
    d_log_opacities: Float64[np.ndarray, " N"],
    d_features: Float64[np.ndarray, "N 7"],
) -> WorldGradients:
    world, options, projected = saved.world, saved.options, saved.projected
    is_seen = np.zeros(len(world), dtype=np.bool_)
    is_seen[projected.order] = True
    i_seen = np.flatnonzero(is_seen)
    camera_from_world = saved.camera.camera_from_world[:3, :3]
    focal = np.asarray(saved.camera.focal_px)

    def seen(array: np.ndarray) -> np.ndarray:
        return array[i_seen]

    covariances, raw = seen(projected.covariances), seen(projected.raw_covariances)
    precisions = np.linalg.inv(covariances)
    d_covariances = -precisions @ seen(d_precisions) @ precisions
    if options.is_antialiased:
        half = 0.5 * seen(d_log_opacities)[:, None, None]
        d_covariances = d_covariances + half * (np.linalg.inv(raw) - precisions)
    slopes, spreads = seen(projected.slopes), seen(projected.spreads)
    d_flat = 2.0 * d_covariances @ slopes @ spreads  # [M, 2, 3]
    d_spreads = slopes.swapaxes(1, 2) @ d_flat  # [M, 3, 3]
    d_jacobian = d_flat @ spreads.swapaxes(1, 2) @ camera_from_world.T  # [M, 2, 3]

    local = seen(projected.local)
    depth = local[:, 2:]
    over_depth = local[:, :2] / depth
    held = -d_jacobian[:, :, 2] * focal / depth  # by the held slopes
    d_over_depth = focal * seen(d_centres) + np.where(seen(projected.is_free), held, 0.0)
    d_local = np.zeros_like(local)
    d_local[:, :2] = d_over_depth / depth
    d_local[:, 2] = -np.sum(d_over_depth * over_depth, axis=1) / depth[:, 0] + seen(d_features)[:, 3]
    jacobian = slopes @ camera_from_world.T
    d_local[:, 2] -= np.sum(d_jacobian * jacobian, axis=(1, 2)) / depth[:, 0]  # every entry goes as 1 / depth

    active = projected.harmonics.shape[1]
    sh, harmonics, directions = seen(world.sh)[:, :active], seen(projected.harmonics), seen(projected.directions)
    d_colors = np.where(0.5 + np.einsum("mk,mkc->mc", harmonics, sh) > 0.0, seen(d_features)[:, :3], 0.0)
    by_direction = slope_harmonics(directions, active)  # [M, K, 3]
    d_directions = np.einsum("mkc,mc,mki->mi", sh, d_colors, by_direction)
    d_directions -= directions * np.sum(directions * d_directions, axis=1, keepdims=True)

    d_rotations = d_spreads * np.exp(seen(world.log_scales).astype(np.float64))[:, None, :]
    signs = seen(projected.normal_signs)[:, None]
    d_rotations[np.arange(len(i_seen)), :, seen(projected.shortest)] += signs * seen(d_features)[:, 4:]

    def spread_out(values: np.ndarray) -> np.ndarray:
        full = np.zeros((len(world), *values.shape[1:]), np.float32)
        full[i_seen] = values
        return full

    d_sh = np.zeros((len(i_seen), *world.sh.shape[1:]))
    d_sh[:, :active] = harmonics[:, :, None] * d_colors[:, None, :]
    return WorldGradients(
        means_m=spread_out(d_local @ camera_from_world + d_directions / seen(projected.distances)[:, None]),
        quaternions_wxyz=spread_out(_go_back_to_quaternions(seen(world.quaternions_wxyz), d_rotations)),
        log_scales=spread_out(np.sum(d_spreads * spreads, axis=1)),
        opacity_logits=spread_out(seen(d_log_opacities) * (1.0 - seen(projected.sigmoids))),
        sh=spread_out(d_sh),
        screen=spread_out(np.linalg.norm(seen(d_centres), axis=1)),
        is_seen=is_seen,
    )


def _rotations_of(unit_quaternions: Float64[np.ndarray, "N 4"]) -> Float64[np.ndarray, "N 3 3"]:
    """R = (w^2 - v.v) 1 + 2 v v^T + 2 w [v]x."""
    w, v = unit_quaternions[:, 0], unit_quaternions[:, 1:]
    identity = (w**2 - np.sum(v**2, axis=1))[:, None, None] * np.eye(3)
    return identity + 2.0 * v[:, :, None] * v[:, None, :] + 2.0 * w[:, None, None] * _cross(v)


def _cross(v: Float64[np.ndarray, "N 3"]) -> Float64[np.ndarray, "N 3 3"]:
    """The matrix that takes a vector to its cross product with v."""
    matrix = np.zeros((len(v), 3, 3))
    matrix[:, (2, 0, 1), (1, 2, 0)] = v
    matrix[:, (1, 2, 0), (2, 0, 1)] = -v
    return matrix


def _go_back_to_quaternions(
    quaternions: Float32[np.ndarray, "M 4"], d_rotations: Float64[np.ndarray, "M 3 3"]
) -> Float64[np.ndarray, "M 4"]:
    lengths = np.linalg.norm(quaternions.astype(np.float64), axis=1, keepdims=True)
    unit = quaternions / lengths
    w, v = unit[:, 0], unit[:, 1:]
    trace = np.trace(d_rotations, axis1=1, axis2=2)
    # The part of the gradient that is a turn: the transpose of `_cross`.
    twist = np.stack(
        [
            d_rotations[:, 2, 1] - d_rotations[:, 1, 2],
            d_rotations[:, 0, 2] - d_rotations[:, 2, 0],
            d_rotations[:, 1, 0] - d_rotations[:, 0, 1],
        ],
        axis=1,
    )
    d_unit = np.empty_like(unit)
    d_unit[:, 0] = 2.0 * w * trace + 2.0 * np.sum(v * twist, axis=1)
    symmetric = d_rotations + d_rotations.swapaxes(1, 2)
    d_unit[:, 1:] = -2.0 * v * trace[:, None] + 2.0 * np.einsum("mij,mj->mi", symmetric, v) + 2.0 * w[:, None] * twist
    return (d_unit - unit * np.sum(unit * d_unit, axis=1, keepdims=True)) / lengths


def _pixel_centres(camera: Camera) -> Float64[np.ndarray, "H W 2"]:
    x, y = np.meshgrid(np.arange(camera.width_px) + 0.5, np.arange(camera.height_px) + 0.5)
    return np.stack([x, y], axis=-1)


def _blur(picture: Float64[np.ndarray, "H W C"]) -> Float64[np.ndarray, "H W C"]:
    """SSIM's window over a picture with zeros around it."""
    places = np.arange(-SSIM_REACH_PX, SSIM_REACH_PX + 1)
    taps = np.exp(-(places**2) / (2.0 * SSIM_SIGMA_PX**2))
    taps /= taps.sum()
    for axis in (0, 1):
        padding = [(0, 0)] * 3
        padding[axis] = (SSIM_REACH_PX, SSIM_REACH_PX)
        padded = np.pad(picture, padding)
        windows = np.lib.stride_tricks.sliding_window_view(padded, len(taps), axis=axis)
        picture = windows @ taps
    return picture
