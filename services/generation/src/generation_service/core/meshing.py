"""From pictures of depth to a surface: a grid of signed distances, marching cubes, and a coarse surface to collide with.

Source: B. Curless, M. Levoy, "A volumetric method for building complex models from range images", SIGGRAPH 1996 (the running mean of truncated signed
distances); W. Lorensen, H. Cline, "Marching cubes", SIGGRAPH 1987, by PyMCubes; M. Garland, P. Heckbert, "Surface simplification using quadric error
metrics", SIGGRAPH 1997, by fast-simplification.
"""

from __future__ import annotations

from dataclasses import dataclass

import fast_simplification  # pyright: ignore[reportMissingTypeStubs]
import mcubes  # pyright: ignore[reportMissingTypeStubs]
import numpy as np
from jaxtyping import Float32, Float64, Int64
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from generation_service.core.errors import NoSurfaceError
from praxiscope_worlds import Camera, Mesh

# Distances beyond so many voxels before the surface count as that many; farther behind it nothing is said.
TRUNCATION_VOXELS = 4.0
# Voxels that are looked at together: a slab takes some 100 bytes a voxel for a moment.
_VOXELS_AT_ONCE = 1 << 18
# Parts of a surface with fewer of its faces than this share are floating crumbs.
MIN_PART_SHARE = 0.01
_MIN_ALPHA = 0.5
# How far from the cameras' middle surfaces are looked for, in distances of the farthest camera from it.
_CAMERA_REACHES = 2.0


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where a surface is looked for.

    Attributes:
        low_m: The least corner.
        high_m: The other one.
    """

    low_m: tuple[float, float, float]
    high_m: tuple[float, float, float]

    def size_m(self) -> Float64[np.ndarray, 3]:
        """Returns its sides."""
        return np.subtract(self.high_m, self.low_m)


class DistanceGrid:
    """Signed distances to the surface on a grid of voxels, positive before it, with its colours.

    Args:
        box: What the grid covers.
        voxel_count: Voxels along the longest side of the box, at least 8.
    """

    def __init__(self, box: Box, *, voxel_count: int) -> None:
        """Begins with nothing known."""
        size_m = box.size_m()
        self.voxel_m = float(size_m.max()) / voxel_count
        self.shape = tuple(int(count) for count in np.maximum(np.ceil(size_m / self.voxel_m), 2))
        self._low_m = np.array(box.low_m)
        self._distance = np.zeros(self.shape, np.float32)
        self._weight = np.zeros(self.shape, np.float32)
        self._color = np.zeros((*self.shape, 3), np.float32)

    def add(
        self,
        camera: Camera,
        *,
        depth_m: Float32[np.ndarray, "H W"],
        alpha: Float32[np.ndarray, "H W"],
        color_rgb: Float32[np.ndarray, "H W 3"],
    ) -> None:
        """Adds what one view sees.

        Args:
            camera: From where.
            depth_m: Distance from the camera's plane, NaN where nothing is.
            alpha: How much of a pixel is covered; what is less than half counts as nothing.
            color_rgb: 0 to 1.
        """
        rotation, position = camera.world_from_camera[:3, :3], camera.world_from_camera[:3, 3]
        seen_m = np.where((alpha >= _MIN_ALPHA) & np.isfinite(depth_m), depth_m, np.nan)
        truncation_m = TRUNCATION_VOXELS * self.voxel_m
        rows = max(1, _VOXELS_AT_ONCE // (self.shape[1] * self.shape[2]))
        for first in range(0, self.shape[0], rows):
            slab = slice(first, min(first + rows, self.shape[0]))
            axes = np.meshgrid(*(np.arange(slab.start, slab.stop), *map(np.arange, self.shape[1:])), indexing="ij")
            centers_m = (np.stack(axes, axis=-1) + 0.5) * self.voxel_m + self._low_m
            in_camera = (centers_m - position) @ rotation
            ahead_m = in_camera[..., 2]
            with np.errstate(divide="ignore", invalid="ignore"):
                columns = np.floor(in_camera[..., 0] / ahead_m * camera.focal_px[0] + camera.centre_px[0])
                lines = np.floor(in_camera[..., 1] / ahead_m * camera.focal_px[1] + camera.centre_px[1])
                is_inside = (ahead_m > 0) & (columns >= 0) & (columns < camera.width_px)
                is_inside &= (lines >= 0) & (lines < camera.height_px)
            places = np.nonzero(is_inside)
            pixels = lines[places].astype(np.intp), columns[places].astype(np.intp)
            distance_m = seen_m[pixels] - ahead_m[places]
            is_told = distance_m >= -truncation_m  # also drops NaN: where nothing is seen nothing is said
            places = tuple(axis[is_told] for axis in places)
            pixels = tuple(axis[is_told] for axis in pixels)
            share = np.minimum(distance_m[is_told] / truncation_m, 1.0)
            old = self._weight[slab][places]
            self._distance[slab][places] = (self._distance[slab][places] * old + share) / (old + 1.0)
            self._color[slab][places] = (self._color[slab][places] * old[:, None] + color_rgb[pixels]) / (old + 1.0)[
                :, None
            ]
            self._weight[slab][places] = old + 1.0

    def surface(self) -> Mesh:
        """Returns the surface where it was seen, with colours, without crumbs.

        Raises:
            NoSurfaceError: None was seen.
        """
        is_known = self._weight > 0
        field = np.where(is_known, self._distance, 1.0)
        corners, faces = _march(field)
        if len(faces):
            # A face between what was seen and what was not is no surface: both voxels beside each of its corners must be known.
            low, high = np.floor(corners).astype(int), np.ceil(corners).astype(int)
            is_seen = is_known[tuple(low.T)] & is_known[tuple(high.T)]
            faces = faces[is_seen[faces].all(axis=1)]
        faces = _without_crumbs(faces, len(corners))
        if not len(faces):
            raise NoSurfaceError()
        used, faces = np.unique(faces, return_inverse=True)
        corners = corners[used]
        nearest = np.minimum(np.rint(corners).astype(int), np.array(self.shape) - 1)
        levels = np.clip(self._color[tuple(nearest.T)], 0.0, 1.0) * 255.0
        return Mesh(
            vertices_m=((corners + 0.5) * self.voxel_m + self._low_m).astype(np.float32),
            faces=faces.reshape(-1, 3).astype(np.int32),
            colors_rgb=np.rint(levels).astype(np.uint8),
        )


def simplify(mesh: Mesh, *, max_face_count: int) -> Mesh:
    """Returns a coarser surface of about that many faces, without colours; the same one where it has no more."""
    if len(mesh.faces) <= max_face_count:
        return Mesh(vertices_m=mesh.vertices_m, faces=mesh.faces)
    simplified = fast_simplification.simplify(
        mesh.vertices_m, mesh.faces, target_reduction=1.0 - max_face_count / len(mesh.faces)
    )
    return Mesh(vertices_m=np.asarray(simplified[0], np.float32), faces=np.asarray(simplified[1], np.int32))


def box_of(
    positions_m: Float64[np.ndarray, "N 3"], opacities: Float64[np.ndarray, " N"], cameras: tuple[Camera, ...]
) -> Box:
    """Returns the box in which a world's surfaces are: around what is solid, no farther than a few times where its cameras stand.

    Args:
        positions_m: Of the Gaussians.
        opacities: Of the Gaussians, 0 to 1.
        cameras: From where the world is to be seen.

    Raises:
        NoSurfaceError: Nothing is solid.
    """
    solid = positions_m[opacities >= _MIN_ALPHA]
    if len(solid) < 8:
        raise NoSurfaceError()
    places = np.array([camera.position_m for camera in cameras])
    middle = places.mean(axis=0)
    reach_m = _CAMERA_REACHES * max(float(np.linalg.norm(places - middle, axis=1).max()), 1e-6)
    near = solid[np.abs(solid - middle).max(axis=1) <= reach_m]
    inner = near if len(near) >= 8 else solid
    low, high = np.percentile(inner, [1.0, 99.0], axis=0)
    margin = 0.05 * float((high - low).max()) + 1e-6
    return Box(low_m=tuple((low - margin).tolist()), high_m=tuple((high + margin).tolist()))


def _march(field: np.ndarray) -> tuple[Float64[np.ndarray, "V 3"], Int64[np.ndarray, "F 3"]]:
    """Marching cubes at zero: corners in voxels, faces counter-clockwise seen from where the field is positive."""
    corners, faces = mcubes.marching_cubes(field, 0.0)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  it has no types
    return np.asarray(corners, np.float64), np.asarray(faces, np.int64)[:, ::-1]  # pyright: ignore[reportUnknownArgumentType]


def _without_crumbs(faces: np.ndarray, corner_count: int) -> np.ndarray:
    if not len(faces):
        return faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]]])
    graph = coo_array((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), shape=(corner_count, corner_count))
    _, parts = connected_components(graph, directed=False)
    counts = np.bincount(parts[faces[:, 0]])
    return faces[counts[parts[faces[:, 0]]] >= MIN_PART_SHARE * len(faces)]
