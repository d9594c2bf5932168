"""How a world's surface is extracted: views, their depth, a grid of distances, marching cubes, a coarse one, hand over."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import grpc
import numpy as np

from generation_service.adapters.jobs import MESH_METHOD
from generation_service.core.capture import fit_size, scale_camera
from generation_service.core.meshing import DistanceGrid, box_of, simplify
from praxiscope.generation.v1 import generation_service_pb2
from praxiscope_assets import OutputFolder, pieces_from_thread
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.jobs.worker import Handler, JobContext
from praxiscope_common.storage.port import ObjectStore
from praxiscope_world_assets import OpenWorld, WorldReader
from praxiscope_worlds import Camera, Orbit, orbit_camera
from praxiscope_worlds.formats import FORMATS, write_world_file
from praxiscope_worlds.kernels import SplatKernels

_WEIGHTS = {"read": 0.1, "look": 0.7, "store": 0.2}
_VOXEL_COUNT = 160
_COLLIDER_FACE_COUNT = 10_000
# More views than this add little, and time.
_VIEW_COUNT = 48
_LONG_SIDE_PX = 480
# Where a world brings no cameras: so many around it at each of these heights.
_AROUND_COUNT = 16
_ELEVATIONS_RAD = (-0.2, 0.3, 0.9)
_Request = generation_service_pb2.ExtractMeshRequest


@dataclass(frozen=True, kw_only=True)
class MeshWork:
    """Extracts surfaces.

    Attributes:
        worlds: Reads worlds out of the library.
        library: A channel to the library.
        store: The object store.
        identity: Gets tokens to act for whoever started the operation.
        kernels: What draws depth.
    """

    worlds: WorldReader
    library: grpc.aio.Channel
    store: ObjectStore
    identity: ServiceIdentity
    kernels: SplatKernels

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {MESH_METHOD: Handler(request_type=_Request, run=self.run, weights=_WEIGHTS)}

    async def run(self, context: JobContext, request: _Request) -> generation_service_pb2.ExtractMeshResponse:
        """Extracts a stored world's surface."""
        token = await self.identity.token_for_mandate(context.operation.mandate)
        with context.timed("read"):
            world = await self.worlds.read(request.world, token=token)
            named = await self.worlds.read_cameras(request.world, token=token)
        cameras = pick_cameras(world, [camera for _, camera in named])
        await context.report("read", 1.0, f"{len(cameras)} views")
        with context.timed("look"):
            grid = await self._look(context, world, cameras, request.voxel_count or _VOXEL_COUNT)
            mesh = await asyncio.to_thread(grid.surface)
            coarse = await asyncio.to_thread(
                simplify, mesh, max_face_count=request.collider_face_count or _COLLIDER_FACE_COUNT
            )
        await context.report("look", 1.0, f"{len(mesh.faces)} faces")
        with context.timed("store"):
            outputs = OutputFolder(self.library, self.store, operation=context.operation.name, name="mesh")
            for path, content in (("mesh.glb", mesh), ("collider.glb", coarse)):
                pieces = pieces_from_thread(iter(write_world_file(content, format_name="glb")))
                await outputs.put(path, FORMATS["glb"].media_type, pieces)
            version = await outputs.commit(
                kind="KIND_FILE",
                display_name=request.display_name or f"Surface of {world.file.path}",
                sources=[world.file.asset_version],
                token=await self.identity.token_for_mandate(context.operation.mandate),
            )
        await context.report("store", 1.0)
        return generation_service_pb2.ExtractMeshResponse(
            asset_version=version.name,
            face_count=len(mesh.faces),
            collider_face_count=len(coarse.faces),
            voxel_m=grid.voxel_m,
        )

    async def _look(
        self, context: JobContext, world: OpenWorld, cameras: Sequence[Camera], voxel_count: int
    ) -> DistanceGrid:
        gaussians = world.gaussians
        box = box_of(
            np.asarray(gaussians.means_m, np.float64),
            1.0 / (1.0 + np.exp(-np.asarray(gaussians.opacity_logits, np.float64))),
            tuple(cameras),
        )
        grid = DistanceGrid(box, voxel_count=voxel_count)
        options = replace(world.options, has_geometry=True)

        def add(camera: Camera) -> None:
            drawn = self.kernels.render(gaussians, camera, options)
            assert drawn.depth_m is not None  # it was asked for
            grid.add(camera, depth_m=drawn.depth_m, alpha=drawn.alpha, color_rgb=drawn.color_rgb)

        for index, camera in enumerate(cameras):
            await asyncio.to_thread(add, camera)
            await context.report("look", (index + 1) / (len(cameras) + 1), f"view {index + 1} of {len(cameras)}")
        return grid


def pick_cameras(world: OpenWorld, own: Sequence[Camera]) -> list[Camera]:
    """Returns the views that a surface is seen from: some of the world's own, evenly picked, or circles around it where it has none."""
    if own:
        places = np.unique(np.linspace(0, len(own) - 1, min(len(own), _VIEW_COUNT)).round().astype(int))
        return [_reduced(own[place]) for place in places]
    return [
        orbit_camera(
            world.bounds,
            Orbit(azimuth_rad=math.tau * index / _AROUND_COUNT, elevation_rad=elevation_rad),
            width_px=_LONG_SIDE_PX,
            height_px=_LONG_SIDE_PX * 3 // 4,
        )
        for elevation_rad in _ELEVATIONS_RAD
        for index in range(_AROUND_COUNT)
    ]


def _reduced(camera: Camera) -> Camera:
    width_px, height_px = fit_size(camera.width_px, camera.height_px, long_side_px=_LONG_SIDE_PX)
    return scale_camera(camera, width_px=width_px, height_px=height_px)
