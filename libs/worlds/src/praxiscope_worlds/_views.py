"""From where a world is looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from praxiscope_worlds._camera import Camera
from praxiscope_worlds._errors import InvalidViewError, WorldNotDrawableError
from praxiscope_worlds._gaussians import GaussianWorld
from praxiscope_worlds._mesh import Mesh

DEFAULT_DISTANCE_RADII = 2.2
DEFAULT_FIELD_RAD = 0.9
# Gaussians that cover less than this are haze around a reconstruction, and do not say how large it is.
_SOLID_LOGIT = 0.0
# Share of the solid Gaussians inside the radius; the rest is what was seen from afar.
_RADIUS_PERCENTILE = 75.0


@dataclass(frozen=True, kw_only=True)
class Orbit:
    """A place on a sphere around a world's middle, from where the middle is looked at.

    Attributes:
        azimuth_rad: Counter-clockwise seen from above; 0 is along z.
        elevation_rad: Above the middle's horizon, less than a right angle either way.
        distance_radii: From the middle, in radii of the world.
        vertical_field_rad: Angle that the picture's height covers, 0 to pi.
    """

    azimuth_rad: float = 0.0
    elevation_rad: float = 0.0
    distance_radii: float = DEFAULT_DISTANCE_RADII
    vertical_field_rad: float = DEFAULT_FIELD_RAD


@dataclass(frozen=True, kw_only=True, eq=False)
class Bounds:
    """Where the most of a world is.

    Attributes:
        middle_m: Its middle, [3].
        radius_m: Distance from there that three quarters of its solid Gaussians keep; of a mesh, half the diagonal of the box around it.
    """

    middle_m: Float64[np.ndarray, " 3"]
    radius_m: float


def measure_bounds(world: GaussianWorld | Mesh) -> Bounds:
    """Finds where the most of a world is: of Gaussians by medians, so that a far sky or a few strays do not matter; of a mesh by its box.

    Raises:
        WorldNotDrawableError: There is nothing in it.
    """
    if isinstance(world, Mesh):
        return _measure_mesh(world)
    if not len(world):
        raise WorldNotDrawableError("There is nothing in this world.")
    is_solid = world.opacity_logits >= _SOLID_LOGIT
    centres = world.means_m[is_solid if is_solid.any() else slice(None)].astype(np.float64)
    middle = np.median(centres, axis=0)
    radius = float(np.percentile(np.linalg.norm(centres - middle, axis=1), _RADIUS_PERCENTILE))
    return Bounds(middle_m=middle, radius_m=max(radius, 1e-3))


def _measure_mesh(mesh: Mesh) -> Bounds:
    if not len(mesh.faces):
        raise WorldNotDrawableError("The mesh has no faces; there is nothing to draw.")
    corners = mesh.vertices_m[np.unique(mesh.faces)].astype(np.float64)
    low, high = corners.min(axis=0), corners.max(axis=0)
    return Bounds(middle_m=0.5 * (low + high), radius_m=max(0.5 * float(np.linalg.norm(high - low)), 1e-3))


def orbit_camera(bounds: Bounds, orbit: Orbit, *, width_px: int, height_px: int) -> Camera:
    """Returns the camera of a place on the sphere.

    Raises:
        InvalidViewError: The place is straight above or below, or its numbers are not finite.
    """
    numbers = (orbit.azimuth_rad, orbit.elevation_rad, orbit.distance_radii, orbit.vertical_field_rad)
    is_finite = all(math.isfinite(number) for number in numbers)
    if not is_finite or abs(orbit.elevation_rad) >= math.pi / 2 or not 0.0 < orbit.vertical_field_rad < math.pi:
        raise InvalidViewError(f"An orbit's elevation is less than a right angle, its field between 0 and pi: {orbit}.")
    outwards = np.array(
        [
            math.cos(orbit.elevation_rad) * math.sin(orbit.azimuth_rad),
            math.sin(orbit.elevation_rad),
            math.cos(orbit.elevation_rad) * math.cos(orbit.azimuth_rad),
        ]
    )
    forward = -outwards
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    world_from_camera[:3, 3] = bounds.middle_m + orbit.distance_radii * bounds.radius_m * outwards
    focal_px = 0.5 * height_px / math.tan(0.5 * orbit.vertical_field_rad)
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=(focal_px, focal_px),
        centre_px=(width_px / 2, height_px / 2),
        world_from_camera=world_from_camera,
    )


def camera_from_pose(
    quaternion_wxyz: tuple[float, float, float, float],
    position_m: tuple[float, float, float],
    *,
    width_px: int,
    height_px: int,
    focal_px: tuple[float, float],
    centre_px: tuple[float, float],
) -> Camera:
    """Returns a camera of the caller's own; the quaternion need not be of length one.

    Raises:
        InvalidViewError: The quaternion has no direction, or a number is not finite.
    """
    length = math.hypot(*quaternion_wxyz)
    if not math.isfinite(length) or length < 1e-6 or not all(map(math.isfinite, position_m)):
        raise InvalidViewError("A camera's rotation must be a quaternion of some length, and its position finite.")
    w, x, y, z = (value / length for value in quaternion_wxyz)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    world_from_camera[:3, 3] = position_m
    return Camera(
        width_px=width_px,
        height_px=height_px,
        focal_px=focal_px,
        centre_px=centre_px,
        world_from_camera=world_from_camera,
    )
