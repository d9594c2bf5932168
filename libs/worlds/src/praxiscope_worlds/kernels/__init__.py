"""Kernels that draw Gaussian worlds, take gradients of the picture, compare pictures and move parameters.

One interface, `SplatKernels`, and three backends of it that are named by whoever puts a program together; none stands in for another by itself:

    ReferenceKernels  numpy in float64: the definition, for small pictures and for tests
    CpuKernels        C++ (`kernels/cpu/`) on 512- or 256-bit vectors and any number of threads, loaded from a library that set-up builds
    CudaKernels       CUDA C++ (`kernels/cuda/`) for a GPU, loaded from a library that `make setup-cuda` builds where NVIDIA's toolkit is
"""

from praxiscope_worlds.kernels._absent import open_kernels
from praxiscope_worlds.kernels._cpu import CpuKernels
from praxiscope_worlds.kernels._cuda import CudaKernels
from praxiscope_worlds.kernels._errors import (
    InvalidPictureError,
    KernelsBusyError,
    KernelsFailedError,
    KernelsMissingError,
    WorldTooDenseError,
)
from praxiscope_worlds.kernels._reference import ReferenceKernels
from praxiscope_worlds.kernels._types import (
    AdamSettings,
    PictureGradients,
    PictureLoss,
    Rendering,
    RenderOptions,
    SplatKernels,
    WorldGradients,
)

__all__ = [
    "AdamSettings",
    "CpuKernels",
    "CudaKernels",
    "InvalidPictureError",
    "KernelsBusyError",
    "KernelsFailedError",
    "KernelsMissingError",
    "PictureGradients",
    "PictureLoss",
    "ReferenceKernels",
    "RenderOptions",
    "Rendering",
    "SplatKernels",
    "WorldGradients",
    "WorldTooDenseError",
    "open_kernels",
]
