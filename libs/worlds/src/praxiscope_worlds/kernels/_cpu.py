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
from praxiscope_worlds.kernels._errors import InvalidPictureError, KernelsBusyError, KernelsMissingError
from praxiscope_worlds.kernels._interface import (
    TILE_PX,
    Gradients,
    Picture,
    Planes,
    View,
    World,
    check_intersections,
    compared_planes,
    empty_gradients,
    empty_picture,
    gradient_planes,
    gradients_of,
    picture_loss_of,
    picture_of,
    rendering_of,
    step_sizes_of,
    view_of,
    world_gradients_of,
    world_of,
)
from praxiscope_worlds.kernels._types import (
    AdamSettings,
    PictureGradients,
    PictureLoss,
    Rendering,
    RenderOptions,
    WorldGradients,
    check_picture,
)

# From the fastest to the most widely run; the flag of /proc/cpuinfo that each level wants beyond the one after it (x86-64 psABI).
LEVELS = {
    "x86-64-v4": ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"),
    "x86-64-v3": ("avx2", "bmi2", "fma"),
}
_RECORD_SIZE = 16
_REACH_SIZE = 4
_MAX_THREADS = 256


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


@dataclass(frozen=True, kw_only=True, eq=False)
class _Saved:
    """What the way back needs: the structures, and the arrays that they point into."""

    view: View
    world: World
    scratch: _Scratch
    picture: Picture
    planes: Planes
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
        view = view_of(world, camera, options, thread_count=threads)
        parameters, c_world = world_of(world)
        records, hits = _aligned((count, _RECORD_SIZE)), np.empty(count, np.int32)
        order, keys = np.empty(count, np.int32), np.empty(2 * count, np.uint64)
        tile_counts, tile_begins = np.empty((threads, tile_count), np.int32), np.empty(tile_count + 1, np.int64)
        thread_counts, totals = np.empty(threads, np.int64), np.zeros(3, np.int64)
        known = (records, hits, order, keys, tile_counts, tile_begins, thread_counts, totals)
        reaches = np.empty((count, _REACH_SIZE), np.int32)
        scratch = _Scratch(*(array.ctypes.data for array in known), None, None, None, reaches.ctypes.data)
        self._library.splat_prepare(view, c_world, scratch)

        seen_count, intersection_count = int(totals[0]), int(totals[1])
        check_intersections(seen_count, intersection_count, options)
        ids = np.empty(intersection_count, np.int32)
        places = np.empty(intersection_count, np.int32) if has_gradients else None
        first_places = np.empty(count, np.int32) if has_gradients else None
        scratch.ids = ids.ctypes.data
        if places is not None and first_places is not None:
            first_places.fill(0)
            scratch.places, scratch.first_places = places.ctypes.data, first_places.ctypes.data
        planes = empty_picture(camera, has_geometry=options.has_geometry)
        picture = picture_of(planes)
        self._library.splat_draw(view, scratch, picture)
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
        return rendering_of(planes, totals, saved)

    def differentiate(self, rendering: Rendering, gradients: PictureGradients) -> WorldGradients:
        """Goes back from a picture's gradient to the world's; see `SplatKernels.differentiate`."""
        saved = rendering.saved
        if not isinstance(saved, _Saved):
            raise InvalidPictureError("The picture was drawn without has_gradients, or by another backend.")
        given = gradient_planes(saved.planes, gradients)
        planes = tuple(
            np.zeros_like(drawn) if plane is None and drawn is not None else plane
            for plane, drawn in zip(given, saved.planes, strict=True)
        )
        sums, found = _aligned((saved.intersection_count, _RECORD_SIZE)), empty_gradients(saved.shapes)
        self._library.splat_differentiate(
            saved.view, saved.world, saved.scratch, saved.picture, picture_of(planes), gradients_of(found, sums=sums)
        )
        return world_gradients_of(found, saved.hits > 0)

    def compare(
        self, drawn_rgb: Float32[np.ndarray, "H W 3"], wanted_rgb: Float32[np.ndarray, "H W 3"], *, ssim_share: float
    ) -> PictureLoss:
        """Compares two pictures; see `SplatKernels.compare`."""
        drawn, wanted = compared_planes(drawn_rgb, wanted_rgb)
        _, height, width = drawn.shape
        scratch = np.empty(self._library.splat_loss_scratch_size(width, height), np.float32)
        gradient, means = np.empty_like(drawn), np.empty(2, np.float64)
        pointers = (array.ctypes.data for array in (drawn, wanted, scratch, gradient, means))
        self._library.splat_loss(width, height, self.thread_count, ssim_share, *pointers)
        return picture_loss_of(means, gradient, ssim_share=ssim_share)

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
        step_sizes = step_sizes_of(arrays, learning_rates, step=step, settings=settings)
        moved = None if is_moved is None else np.ascontiguousarray(is_moved, dtype=np.uint8)
        self._library.splat_adam(
            len(values),
            len(step_sizes),
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
    pointers = {"splat_prepare": (View, World, _Scratch), "splat_draw": (View, _Scratch, Picture)}
    pointers["splat_differentiate"] = (View, World, _Scratch, Picture, Picture, Gradients)
    for name, structures in pointers.items():
        function = getattr(library, name)
        function.argtypes, function.restype = [POINTER(structure) for structure in structures], _succeed
    library.splat_loss_scratch_size.argtypes, library.splat_loss_scratch_size.restype = [c_int32, c_int32], c_int64
    library.splat_loss.argtypes = [c_int32, c_int32, c_int32, c_float, *[c_void_p] * 5]
    library.splat_loss.restype = _succeed
    library.splat_adam.argtypes = [c_int64, c_int32, c_int32, c_void_p, *[c_float] * 4, *[c_void_p] * 5]
    library.splat_adam.restype = _succeed
    return library


def _aligned(shape: tuple[int, int]) -> np.ndarray:
    """Rows of 64 bytes, each on a line of the cache."""
    size = shape[0] * shape[1] * 4
    block = np.empty(size + 64, np.uint8)
    offset = -block.ctypes.data % 64
    return block[offset : offset + size].view(np.float32).reshape(shape)
