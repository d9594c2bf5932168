"""What the compiled backends share: the structures of their C interfaces (`cpu/splat.hpp`), how these are filled, and what is checked on the way in."""

from __future__ import annotations

from ctypes import Structure, c_float, c_int32, c_int64, c_void_p
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from praxiscope_worlds._camera import Camera
from praxiscope_worlds._gaussians import GaussianWorld
from praxiscope_worlds.kernels._errors import InvalidPictureError, WorldTooDenseError
from praxiscope_worlds.kernels._types import (
    AdamSettings,
    PictureGradients,
    PictureLoss,
    Rendering,
    RenderOptions,
    WorldGradients,
    check_array,
    count_active_sh,
)

TILE_PX = 16
# Colour [3, H, W], alpha [H, W], depth [H, W] and normals [3, H, W].
Planes = tuple[np.ndarray | None, ...]
_PLANES = ("color_rgb", "alpha", "depth_m", "normals")


class View(Structure):
    """`SplatView`: from where, and how."""

    _fields_ = (
        ("width_px", c_int32),
        ("height_px", c_int32),
        ("focal_x", c_float),
        ("focal_y", c_float),
        ("centre_x", c_float),
        ("centre_y", c_float),
        ("camera_from_world", c_float * 12),
        ("position", c_float * 3),
        ("background", c_float * 3),
        ("low_pass_px2", c_float),
        ("near_m", c_float),
        ("max_alpha", c_float),
        ("is_antialiased", c_int32),
        ("has_geometry", c_int32),
        ("active_sh_count", c_int32),
        ("thread_count", c_int32),
    )


class World(Structure):
    """`SplatWorld`: the Gaussians."""

    _fields_ = (
        ("count", c_int64),
        ("sh_count", c_int64),
        ("means", c_void_p),
        ("quaternions", c_void_p),
        ("log_scales", c_void_p),
        ("opacity_logits", c_void_p),
        ("sh", c_void_p),
    )


class Picture(Structure):
    """`SplatPicture`: planes of a picture, or of its gradient."""

    _fields_ = (("color", c_void_p), ("alpha", c_void_p), ("depth", c_void_p), ("normals", c_void_p))


class Gradients(Structure):
    """`SplatGradients`: the world's."""

    _fields_ = (
        ("sums", c_void_p),
        ("means", c_void_p),
        ("quaternions", c_void_p),
        ("log_scales", c_void_p),
        ("opacity_logits", c_void_p),
        ("sh", c_void_p),
        ("screen", c_void_p),
    )


def view_of(world: GaussianWorld, camera: Camera, options: RenderOptions, *, thread_count: int) -> View:
    """Returns a view; a backend without threads of the host's has no use for their number."""
    return View(
        camera.width_px,
        camera.height_px,
        *camera.focal_px,
        *camera.centre_px,
        (c_float * 12)(*camera.camera_from_world[:3].ravel()),
        (c_float * 3)(*camera.position_m),
        (c_float * 3)(*options.background_rgb),
        options.low_pass_px2,
        options.near_m,
        options.max_alpha,
        options.is_antialiased,
        options.has_geometry,
        count_active_sh(world, options),
        thread_count,
    )


def world_of(world: GaussianWorld) -> tuple[tuple[np.ndarray, ...], World]:
    """Returns a world's numbers, and the structure that points at them."""
    parameters = tuple(
        np.ascontiguousarray(array)
        for array in (world.means_m, world.quaternions_wxyz, world.log_scales, world.opacity_logits, world.sh)
    )
    return parameters, World(len(world), world.sh.shape[1], *map(_address, parameters))


def empty_picture(camera: Camera, *, has_geometry: bool) -> Planes:
    """Returns planes to draw into."""
    shape = (camera.height_px, camera.width_px)
    color, alpha = np.empty((3, *shape), np.float32), np.empty(shape, np.float32)
    if not has_geometry:
        return color, alpha, None, None
    return color, alpha, np.empty(shape, np.float32), np.empty((3, *shape), np.float32)


def picture_of(planes: Planes) -> Picture:
    """Returns the structure that points at planes."""
    return Picture(*(None if plane is None else _address(plane) for plane in planes))


def check_intersections(seen_count: int, intersection_count: int, options: RenderOptions) -> None:
    """Refuses a world whose lists would take too much memory.

    Raises:
        WorldTooDenseError: There are more intersections than the options allow.
    """
    if intersection_count > options.max_intersections:
        raise WorldTooDenseError(
            f"{seen_count} Gaussians reach {intersection_count} tiles, {options.max_intersections} are allowed;"
            " draw a smaller picture or fewer Gaussians.",
            metadata={
                "intersection_count": str(intersection_count),
                "max_intersections": str(options.max_intersections),
            },
        )


def rendering_of(planes: Planes, totals: np.ndarray, saved: Any) -> Rendering:  # noqa: ANN401 the backend's own
    """Returns what was drawn; `totals` are the seen, the intersections and the unusable."""
    color, alpha, depth, normals = planes
    assert color is not None and alpha is not None
    seen_count, intersection_count, unusable_count = (int(total) for total in totals)
    return Rendering(
        color_rgb=np.moveaxis(color, 0, 2),
        alpha=alpha,
        depth_m=depth,
        normals=None if normals is None else np.moveaxis(normals, 0, 2),
        seen_count=seen_count,
        unusable_count=unusable_count,
        intersection_count=intersection_count,
        saved=saved,
    )


def gradient_planes(drawn: Planes, gradients: PictureGradients) -> Planes:
    """Returns a picture's gradient plane by plane; None where it is zero, or was not drawn.

    Raises:
        InvalidPictureError: Its shape is not the picture's.
    """
    planes: list[np.ndarray | None] = []
    for name, plane in zip(_PLANES, drawn, strict=True):
        given = getattr(gradients, name)
        if given is None:
            planes.append(None)
            continue
        if plane is None:
            raise InvalidPictureError(f"{name} was not drawn, so it has no gradient.")
        check_array(name, given, (*plane.shape[1:], 3) if plane.ndim == 3 else plane.shape)
        planes.append(np.ascontiguousarray(np.moveaxis(given, 2, 0) if plane.ndim == 3 else given))
    return tuple(planes)


def empty_gradients(world: GaussianWorld) -> tuple[np.ndarray, ...]:
    """Returns arrays for a world's gradients, in the order of `Gradients`."""
    count = len(world)
    shapes = ((count, 3), (count, 4), (count, 3), (count,), world.sh.shape, (count,))
    return tuple(np.empty(shape, np.float32) for shape in shapes)


def gradients_of(found: tuple[np.ndarray, ...], *, sums: np.ndarray | None = None) -> Gradients:
    """Returns the structure that points at them."""
    return Gradients(None if sums is None else _address(sums), *map(_address, found))


def world_gradients_of(found: tuple[np.ndarray, ...], is_seen: Bool[np.ndarray, " N"]) -> WorldGradients:
    """Returns them under their names."""
    means, quaternions, log_scales, opacity_logits, sh, screen = found
    return WorldGradients(
        means_m=means,
        quaternions_wxyz=quaternions,
        log_scales=log_scales,
        opacity_logits=opacity_logits,
        sh=sh,
        screen=screen,
        is_seen=is_seen,
    )


def compared_planes(
    drawn_rgb: Float32[np.ndarray, "H W 3"], wanted_rgb: Float32[np.ndarray, "H W 3"]
) -> tuple[Float32[np.ndarray, "3 H W"], Float32[np.ndarray, "3 H W"]]:
    """Returns two pictures plane by plane.

    Raises:
        InvalidPictureError: They are not float32 of one shape [H, W, 3].
    """
    if drawn_rgb.ndim != 3 or drawn_rgb.shape[2] != 3 or 0 in drawn_rgb.shape:
        raise InvalidPictureError(f"A picture must be [H, W, 3], is {drawn_rgb.shape}.")
    check_array("drawn_rgb", drawn_rgb, drawn_rgb.shape)
    check_array("wanted_rgb", wanted_rgb, drawn_rgb.shape)
    drawn, wanted = (np.ascontiguousarray(np.moveaxis(rgb, 2, 0)) for rgb in (drawn_rgb, wanted_rgb))
    return drawn, wanted


def picture_loss_of(means: np.ndarray, gradient: Float32[np.ndarray, "3 H W"], *, ssim_share: float) -> PictureLoss:
    """Returns a loss; `means` are those of the absolute difference and of the similarity."""
    l1, ssim = float(means[0]), float(means[1])
    value = (1.0 - ssim_share) * l1 + ssim_share * (1.0 - ssim)
    return PictureLoss(value=value, l1=l1, ssim=ssim, gradient=np.moveaxis(gradient, 0, 2))


def step_sizes_of(
    arrays: tuple[np.ndarray, ...], learning_rates: Float32[np.ndarray, " D"], *, step: int, settings: AdamSettings
) -> Float32[np.ndarray, " D"]:
    """Returns Adam's learning rates over the first moment's correction.

    Raises:
        InvalidPictureError: The arrays are not contiguous float32 of one shape with D numbers in a row.
    """
    shape = arrays[-1].shape
    for array in arrays:
        check_array("an array of Adam's", array, shape)
        if not array.flags.c_contiguous:
            raise InvalidPictureError("Adam's arrays must be contiguous.")
    sizes = np.ascontiguousarray(learning_rates / (1.0 - settings.beta1**step), dtype=np.float32)
    check_array("learning_rates", sizes, (int(np.prod(shape[1:], dtype=np.int64)),))
    return sizes


def _address(array: np.ndarray) -> int:
    return array.ctypes.data
