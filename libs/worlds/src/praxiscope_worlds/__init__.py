"""Three-dimensional worlds: Gaussians, meshes, cameras, their files, and the kernels that draw them."""

from praxiscope_worlds._camera import Camera
from praxiscope_worlds._camera_files import camera_from_json, camera_json, cameras_json
from praxiscope_worlds._errors import InvalidViewError, InvalidWorldError, WorldNotDrawableError
from praxiscope_worlds._gaussians import SH_C0, SH_COUNTS, GaussianWorld
from praxiscope_worlds._mesh import Mesh
from praxiscope_worlds._views import Bounds, Orbit, camera_from_pose, measure_bounds, orbit_camera

__all__ = [
    "SH_C0",
    "SH_COUNTS",
    "Bounds",
    "Camera",
    "GaussianWorld",
    "InvalidViewError",
    "InvalidWorldError",
    "Mesh",
    "Orbit",
    "WorldNotDrawableError",
    "camera_from_json",
    "camera_from_pose",
    "camera_json",
    "cameras_json",
    "measure_bounds",
    "orbit_camera",
]
