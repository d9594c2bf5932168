"""The C++ backend: its library, and what goes through its C interface (`cpu/splat.hpp`)."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32

from praxiscope_worlds._camera import Camera
from praxiscope_worlds._gaussians import GaussianWorld
from praxiscope_worlds.kernels._errors import (
    InvalidPictureError,
    KernelsBusyError,
    KernelsMissingError,
    WorldTooDenseError,
)
from praxiscope_worlds.kernels._types import (
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

# From the fastest to the most widely run; the flag of /proc/cpuinfo that each level wants beyond the one after it (x86-64 psABI).
LEVELS = {
    "x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
    "x86-64-v3": ("avx2", "bmi2", "fma"),
}
TILE_PX = 16
_RECORD_SIZE = 16
_REACH_SIZE = 4
_MAX_THREADS = 256


class _View(Structure):
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


class _World(Structure):
    _fields_ = (
        ("count", c_int64),
        ("sh_count", c_int64),
        ("means", c_void_p),
        ("quaternions", c_void_p),
        ("log_scales", c_void_p),
        ("opacity_logits", c_void_p),
        ("sh", c_void_p),
    )


class _Scratch(Structure):
    _fields_ = (
        ("records", c_void_p),
        ("hits", c_void_p),
        ("order", c_void_p),
        ("keys", c_void_p),
        ("tile_counts", c_void_p),
        ("tile_begins", c_void_p),
        ("thread_counts", c_void_p),
        ("totals", c_void_p),
        ("ids", c_void_p),
        ("places", c_void_p),
        ("first_places", c_void_p),
        ("reaches", c_void_p),
    )


class _Picture(Structure):
    _fields_ = (("color", c_void_p), ("alpha", c_void_p), ("depth", c_void_p), ("normals", c_void_p))


class _Gradients(Structure):
    _fields_ = (
        ("sums", c_void_p),
        ("means", c_void_p),
        ("quaternions", c_void_p),
        ("log_scales", c_void_p),
        ("opacity_logits", c_void_p),
        ("sh", c_void_p),
        ("screen", c_void_p),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Saved:
    """What the way back needs: the structures, and the arrays that they point into."""

    view: _View
    world: _World
    scratch: _Scratch
    picture: _Picture
    planes: tuple[np.ndarray | None, ...]
    arrays: tuple[object, ...]
    hits: np.ndarray
    shapes: GaussianWorld
    intersection_count: int


class CpuKernels:
    """The kernels in C++, on this machine's vectors and a fixed number of threads.

    The same input gives the same picture and the same gradients, bit for bit, whatever the number of threads.

    Attributes:
        level: The instructions that the loaded library uses, as GCC names them.
        thread_count: Threads of each call.
    """

    def __init__(self, folder: Path, *, thread_count: int) -> None:
        """Loads the best library of a folder that this machine can run.

        Args:
            folder: Where set-up built `splat-<level>.so`.
            thread_count: Threads of each call, 1 to 256.

        Raises:
            KernelsMissingError: There is no library, or none that this machine can run.
        """
        if not 1 <= thread_count <= _MAX_THREADS:
            raise KernelsMissingError(f"thread_count must be from 1 to {_MAX_THREADS}, is {thread_count}.")
        self.thread_count = thread_count
        self.level, self._library = _load(folder)

    def render(
        self, world: GaussianWorld, camera: Camera, options: RenderOptions, *, has_gradients: bool = False
    ) -> Rendering:
        """Draws a world; see `SplatKernels.render`."""
        check_picture(camera)
        count, threads = len(world), self.thread_count
        tile_count = -(-camera.width_px // TILE_PX) * -(-camera.height_px // TILE_PX)
        parameters = tuple(
            np.ascontiguousarray(array)
            for array in (world.means_m, world.quaternions_wxyz, world.log_scales, world.opacity_logits, world.sh)
        )
        view = _view_of(camera, options, active_sh_count=count_active_sh(world, options), thread_count=threads)
        c_world = _World(count, world.sh.shape[1], *(array.ctypes.data for array in parameters))
        records, hits = _aligned((count, _RECORD_SIZE)), np.empty(count, np.int32)
        order, keys = np.empty(count, np.int32), np.empty(2 * count, np.uint64)
        tile_counts, tile_begins = np.empty((threads, tile_count), np.int32), np.empty(tile_count + 1, np.int64)
        thread_counts, totals = np.empty(threads, np.int64), np.zeros(3, np.int64)
        known = (records, hits, order, keys, tile_counts, tile_begins, thread_counts, totals)
        reaches = np.empty((count, _REACH_SIZE), np.int32)
        scratch = _Scratch(*(array.ctypes.data for array in known), None, None, None, reaches.ctypes.data)
        self._library.splat_prepare(view, c_world, scratch)

        seen_count, intersection_count, unusable_count = (int(total) for total in totals)
        if intersection_count > options.max_intersections:
            raise WorldTooDenseError(
                f"{seen_count} Gaussians reach {intersection_count} tiles, {options.max_intersections} are allowed;"
                " draw a smaller picture or fewer Gaussians.",
                metadata={
                    "intersection_count": str(intersection_count),
                    "max_intersections": str(options.max_intersections),
                },
            )
        ids = np.empty(intersection_count, np.int32)
        places = np.empty(intersection_count, np.int32) if has_gradients else None
        first_places = np.empty(count, np.int32) if has_gradients else None
        scratch.ids = ids.ctypes.data
        if places is not None and first_places is not None:
            first_places.fill(0)
            scratch.places, scratch.first_places = places.ctypes.data, first_places.ctypes.data
        planes, picture = _empty_picture(camera, has_geometry=options.has_geometry)
        self._library.splat_draw(view, scratch, picture)
        color, alpha, depth, normals = planes
        assert color is not None and alpha is not None
        saved = None
        if has_gradients:
            saved = _Saved(
                view=view,
                world=c_world,
                scratch=scratch,
                picture=picture,
                planes=planes,
                arrays=(parameters, known, ids, places, first_places, reaches),
                hits=hits,
                shapes=world,
                intersection_count=intersection_count,
            )
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

    def differentiate(self, rendering: Rendering, gradients: PictureGradients) -> WorldGradients:
        """Goes back from a picture's gradient to the world's; see `SplatKernels.differentiate`."""
        saved = rendering.saved
        if not isinstance(saved, _Saved):
            raise InvalidPictureError("The picture was drawn without has_gradients, or by another backend.")
        planes: list[np.ndarray | None] = []
        for name, drawn in zip(("color_rgb", "alpha", "depth_m", "normals"), saved.planes, strict=True):
            given = getattr(gradients, name)
            if drawn is None:
                if given is not None:
                    raise InvalidPictureError(f"{name} was not drawn, so it has no gradient.")
                planes.append(None)
                continue
            if given is None:
                planes.append(np.zeros_like(drawn))
                continue
            check_array(name, given, (*drawn.shape[1:], 3) if drawn.ndim == 3 else drawn.shape)
            planes.append(np.ascontiguousarray(np.moveaxis(given, 2, 0) if drawn.ndim == 3 else given))
        wanted = _Picture(*(None if plane is None else plane.ctypes.data for plane in planes))
        world = saved.shapes
        sums = _aligned((saved.intersection_count, _RECORD_SIZE))
        found = tuple(
            np.empty(shape, np.float32)
            for shape in (
                world.means_m.shape,
                world.quaternions_wxyz.shape,
                world.log_scales.shape,
                world.opacity_logits.shape,
                world.sh.shape,
                world.opacity_logits.shape,
            )
        )
        c_gradients = _Gradients(sums.ctypes.data, *(array.ctypes.data for array in found))
        self._library.splat_differentiate(saved.view, saved.world, saved.scratch, saved.picture, wanted, c_gradients)
        means, quaternions, log_scales, opacity_logits, sh, screen = found
        return WorldGradients(
            means_m=means,
            quaternions_wxyz=quaternions,
            log_scales=log_scales,
            opacity_logits=opacity_logits,
            sh=sh,
            screen=screen,
            is_seen=saved.hits > 0,
        )

    def compare(
        self, drawn_rgb: Float32[np.ndarray, "H W 3"], wanted_rgb: Float32[np.ndarray, "H W 3"], *, ssim_share: float
    ) -> PictureLoss:
        """Compares two pictures; see `SplatKernels.compare`."""
        if drawn_rgb.ndim != 3 or drawn_rgb.shape[2] != 3 or 0 in drawn_rgb.shape:
            raise InvalidPictureError(f"A picture must be [H, W, 3], is {drawn_rgb.shape}.")
        check_array("drawn_rgb", drawn_rgb, drawn_rgb.shape)
        check_array("wanted_rgb", wanted_rgb, drawn_rgb.shape)
        height, width, _ = drawn_rgb.shape
        drawn, wanted = (np.ascontiguousarray(np.moveaxis(rgb, 2, 0)) for rgb in (drawn_rgb, wanted_rgb))
        scratch = np.empty(self._library.splat_loss_scratch_size(width, height), np.float32)
        gradient, means = np.empty_like(drawn), np.empty(2, np.float64)
        pointers = (array.ctypes.data for array in (drawn, wanted, scratch, gradient, means))
        self._library.splat_loss(width, height, self.thread_count, ssim_share, *pointers)
        l1, ssim = float(means[0]), float(means[1])
        return PictureLoss(
            value=(1.0 - ssim_share) * l1 + ssim_share * (1.0 - ssim),
            l1=l1,
            ssim=ssim,
            gradient=np.moveaxis(gradient, 0, 2),
        )

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
        arrays = (gradients, first, second, values)
        for array in arrays:
            check_array("an array of Adam's", array, values.shape)
            if not array.flags.c_contiguous:
                raise InvalidPictureError("Adam's arrays must be contiguous.")
        width = int(np.prod(values.shape[1:], dtype=np.int64))
        step_sizes = np.ascontiguousarray(learning_rates / (1.0 - settings.beta1**step), dtype=np.float32)
        check_array("learning_rates", step_sizes, (width,))
        moved = None if is_moved is None else np.ascontiguousarray(is_moved, dtype=np.uint8)
        self._library.splat_adam(
            len(values),
            width,
            self.thread_count,
            step_sizes.ctypes.data,
            settings.beta1,
            settings.beta2,
            settings.epsilon,
            1.0 - settings.beta2**step,
            None if moved is None else moved.ctypes.data,
            *(array.ctypes.data for array in arrays),
        )


def _load(folder: Path) -> tuple[str, ctypes.CDLL]:
    flags = _read_flags()
    runnable = [level for level, wanted in LEVELS.items() if flags.issuperset(wanted)]
    if not runnable:
        raise KernelsMissingError("The kernels need a processor with AVX2 and FMA (x86-64-v3); this one has neither.")
    for level in runnable:
        path = folder / f"splat-{level}.so"
        if path.exists():
            return level, _declare(ctypes.CDLL(str(path)))
    raise KernelsMissingError(
        "There is no library of the kernels; `make setup` builds it with the Debian package g++.",
        metadata={"folder": str(folder)},
    )


def _read_flags() -> set[str]:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()


def _succeed(code: int) -> None:
    """What every function's return goes through."""
    if code:
        raise KernelsBusyError


def _declare(library: ctypes.CDLL) -> ctypes.CDLL:
    pointers = {"splat_prepare": (_View, _World, _Scratch), "splat_draw": (_View, _Scratch, _Picture)}
    pointers["splat_differentiate"] = (_View, _World, _Scratch, _Picture, _Picture, _Gradients)
    for name, structures in pointers.items():
        function = getattr(library, name)
        function.argtypes, function.restype = [POINTER(structure) for structure in structures], _succeed
    library.splat_loss_scratch_size.argtypes, library.splat_loss_scratch_size.restype = [c_int32, c_int32], c_int64
    library.splat_loss.argtypes = [c_int32, c_int32, c_int32, c_float, *[c_void_p] * 5]
    library.splat_loss.restype = _succeed
    library.splat_adam.argtypes = [c_int64, c_int32, c_int32, c_void_p, *[c_float] * 4, *[c_void_p] * 5]
    library.splat_adam.restype = _succeed
    return library


def _view_of(camera: Camera, options: RenderOptions, *, active_sh_count: int, thread_count: int) -> _View:
    matrix = camera.camera_from_world[:3].ravel()
    return _View(
        camera.width_px,
        camera.height_px,
        *camera.focal_px,
        *camera.centre_px,
        (c_float * 12)(*matrix),
        (c_float * 3)(*camera.position_m),
        (c_float * 3)(*options.background_rgb),
        options.low_pass_px2,
        options.near_m,
        options.max_alpha,
        options.is_antialiased,
        options.has_geometry,
        active_sh_count,
        thread_count,
    )


def _empty_picture(camera: Camera, *, has_geometry: bool) -> tuple[tuple[np.ndarray | None, ...], _Picture]:
    shape = (camera.height_px, camera.width_px)
    color, alpha = np.empty((3, *shape), np.float32), np.empty(shape, np.float32)
    depth = np.empty(shape, np.float32) if has_geometry else None
    normals = np.empty((3, *shape), np.float32) if has_geometry else None
    planes = (color, alpha, depth, normals)
    return planes, _Picture(*(None if plane is None else plane.ctypes.data for plane in planes))


def _aligned(shape: tuple[int, int]) -> np.ndarray:
    """Rows of 64 bytes, each on a line of the cache."""
    size = shape[0] * shape[1] * 4
    block = np.empty(size + 64, np.uint8)
    offset = -block.ctypes.data % 64
    return block[offset : offset + size].view(np.float32).reshape(shape)
