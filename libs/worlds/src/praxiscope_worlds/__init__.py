"""Three-dimensional worlds: Gaussians, meshes, cameras, their files, and the kernels that draw them."""

from praxiscope_worlds._camera import Camera
from praxiscope_worlds._errors import InvalidWorldError
from praxiscope_worlds._gaussians import SH_C0, SH_COUNTS, GaussianWorld
from praxiscope_worlds._mesh import Mesh

__all__ = ["SH_C0", "SH_COUNTS", "Camera", "GaussianWorld", "InvalidWorldError", "Mesh"]
