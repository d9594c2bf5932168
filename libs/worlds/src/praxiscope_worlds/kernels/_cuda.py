"""The CUDA backend: its library, and what goes through its C interface (`cuda/splat_cuda.hpp`)."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_float, c_int32, c_int64, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float32

from praxiscope_worlds._camera import Camera
from praxiscope_worlds._gaussians import GaussianWorld
from praxiscope_worlds.kernels._errors import (
    InvalidPictureError,
    KernelsBusyError,
    KernelsFailedError,
    KernelsMissingError,
    WorldTooDenseError,
)
from praxiscope_worlds.kernels._interface import (
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

# The host has no memory, and cudaErrorMemoryAllocation.
_NO_MEMORY = (-1, 2)
_NAME_SIZE = 256
# Slots and Gaussians are counted in 32 bits on the device.
_MOST_GAUSSIANS = 2**31 - 2


@dataclass(frozen=True, kw_only=True, eq=False)
class _Saved:
    """A drawing that lies on the device until nobody holds this any more, and the planes that were copied from it."""

    drawing: c_void_p
    planes: Planes
    shapes: GaussianWorld


class CudaKernels:
    """The kernels on an NVIDIA GPU of compute capability 7.0 or higher.

    The same input gives the same picture and the same gradients on the same device, bit for bit: sums have one order, and only counts are added atomically.

    A pair of a Gaussian and a tile takes 28 bytes to draw, and 72 for gradients. A picture that was drawn with `has_gradients` stays on the device, with its
    world and its lists, as long as the rendering lives; what is freed stays with the process for the next call. Every call copies its arrays there and back.
    A process that was forked from one that holds such kernels cannot use them (CUDA's rule): open them after the fork.

    Attributes:
        device_name: The device, in its driver's words.
        capability: Ten times its compute capability.
    """

    library_name: ClassVar[str] = "splat-cuda.so"

    def __init__(self, folder: Path, *, device: int = 0) -> None:
        """Loads the library and opens a device.

        Args:
            folder: Where `make setup-cuda` built the library.
            device: Which of the devices that CUDA shows to this process.

        Raises:
            KernelsMissingError: There is no library, or no device that it can use.
        """
        self._library = _load(folder / self.library_name)
        name, capability, opened = ctypes.create_string_buffer(_NAME_SIZE), c_int32(), c_void_p()
        code = self._library.splat_cuda_open(device, byref(opened), name, byref(capability))
        if code:
            raise KernelsMissingError(
                f"There is no CUDA device {device} here that the kernels can use: {self._describe(code)}.",
                metadata={"device": str(device), "code": str(code)},
            )
        self._device = opened
        weakref.finalize(self, self._library.splat_cuda_close, opened)
        self.device_name, self.capability = name.value.decode(errors="replace"), capability.value

    def render(
        self, world: GaussianWorld, camera: Camera, options: RenderOptions, *, has_gradients: bool = False
    ) -> Rendering:
        """Draws a world; see `SplatKernels.render`."""
        check_picture(camera)
        if len(world) > _MOST_GAUSSIANS:
            raise WorldTooDenseError(f"A world may have {_MOST_GAUSSIANS} Gaussians here, this one has {len(world)}.")
        drawing, totals = c_void_p(), np.zeros(3, np.int64)
        _parameters, c_world = world_of(world)  # what the structure points at must outlive the call
        view = view_of(world, camera, options, thread_count=0)
        self._succeed(self._library.splat_cuda_prepare(self._device, view, c_world, byref(drawing), totals.ctypes.data))
        planes = empty_picture(camera, has_geometry=options.has_geometry)
        saved = _Saved(drawing=drawing, planes=planes, shapes=world)
        forget = weakref.finalize(saved, self._library.splat_cuda_forget, drawing)
        try:
            check_intersections(int(totals[0]), int(totals[1]), options)
            self._succeed(self._library.splat_cuda_draw(drawing, picture_of(planes)))
        except BaseException:
            forget()  # at once, not when the traceback lets go of it
            raise
        if not has_gradients:
            forget()
        return rendering_of(planes, totals, saved if has_gradients else None)

    def differentiate(self, rendering: Rendering, gradients: PictureGradients) -> WorldGradients:
        """Goes back from a picture's gradient to the world's; see `SplatKernels.differentiate`."""
        saved = rendering.saved
        if not isinstance(saved, _Saved):
            raise InvalidPictureError("The picture was drawn without has_gradients, or by another backend.")
        planes = gradient_planes(saved.planes, gradients)
        found, is_seen = empty_gradients(saved.shapes), np.empty(len(saved.shapes), np.bool_)
        self._succeed(
            self._library.splat_cuda_differentiate(
                saved.drawing, picture_of(planes), gradients_of(found), is_seen.ctypes.data
            )
        )
        return world_gradients_of(found, is_seen)

    def compare(
        self, drawn_rgb: Float32[np.ndarray, "H W 3"], wanted_rgb: Float32[np.ndarray, "H W 3"], *, ssim_share: float
    ) -> PictureLoss:
        """Compares two pictures; see `SplatKernels.compare`."""
        drawn, wanted = compared_planes(drawn_rgb, wanted_rgb)
        _, height, width = drawn.shape
        gradient, means = np.empty_like(drawn), np.empty(2, np.float64)
        pointers = (array.ctypes.data for array in (drawn, wanted, gradient, means))
        self._succeed(self._library.splat_cuda_loss(self._device, width, height, ssim_share, *pointers))
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
        self._succeed(
            self._library.splat_cuda_adam(
                self._device,
                len(values),
                len(step_sizes),
                step_sizes.ctypes.data,
                settings.beta1,
                settings.beta2,
                settings.epsilon,
                1.0 - settings.beta2**step,
                None if moved is None else moved.ctypes.data,
                *(array.ctypes.data for array in arrays),
            )
        )

    def _succeed(self, code: int) -> None:
        if code in _NO_MEMORY:
            raise KernelsBusyError(
                f"The GPU or the machine has too little memory left for this ({self._describe(code)}); try again later, or draw less.",
                metadata={"code": str(code)},
            )
        if code:
            raise KernelsFailedError(
                f"The GPU failed: {self._describe(code)}; start this process again.", metadata={"code": str(code)}
            )

    def _describe(self, code: int) -> str:
        return bytes(self._library.splat_cuda_describe(code)).decode(errors="replace")


def _load(path: Path) -> ctypes.CDLL:
    if not path.exists():
        raise KernelsMissingError(
            "There is no library of the CUDA kernels; `make setup-cuda` builds it with NVIDIA's CUDA toolkit 12 or newer, whose"
            " nvcc must be on PATH or in the bin folder of CUDA_HOME.",
            metadata={"folder": str(path.parent)},
        )
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise KernelsMissingError(
            "The library of the CUDA kernels cannot be loaded; build it anew by `make setup-cuda`.",
            metadata={"error": str(error)},
        ) from error
    pointer, structure = c_void_p, POINTER
    calls: dict[str, Sequence[type]] = {
        "open": (c_int32, pointer, c_char_p, pointer),
        "prepare": (pointer, structure(View), structure(World), pointer, pointer),
        "draw": (pointer, structure(Picture)),
        "differentiate": (pointer, structure(Picture), structure(Gradients), pointer),
        "loss": (pointer, c_int32, c_int32, c_float, *[pointer] * 4),
        "adam": (pointer, c_int64, c_int32, pointer, *[c_float] * 4, *[pointer] * 5),
    }
    for name, arguments in calls.items():
        function = getattr(library, f"splat_cuda_{name}")
        function.argtypes, function.restype = arguments, c_int32
    for name in ("close", "forget"):
        function = getattr(library, f"splat_cuda_{name}")
        function.argtypes, function.restype = [pointer], None
    library.splat_cuda_describe.argtypes, library.splat_cuda_describe.restype = [c_int32], c_char_p
    return library
