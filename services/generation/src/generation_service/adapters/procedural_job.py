"""How a world is made of words by the procedural model: attributes, scene, Gaussians, hand over."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from dataclasses import dataclass

import grpc
import numpy as np

from generation_service.adapters.jobs import GENERATE_METHOD
from generation_service.core.procedural.attributes import attributes_from_words, caption
from generation_service.core.procedural.light import displayed
from generation_service.core.procedural.scene import ProceduralScene, gaussians_on, make_scene, orbit
from praxiscope.generation.v1 import generation_service_pb2
from praxiscope_assets import AssetFiles, OutputFolder, pieces_from_thread
from praxiscope_common.credentials import ServiceIdentity
from praxiscope_common.jobs.worker import Handler, JobContext
from praxiscope_world_assets import draw_thumbnail, put_world
from praxiscope_worlds import GaussianWorld, cameras_json
from praxiscope_worlds.formats import FORMATS, write_world_file
from praxiscope_worlds.kernels import RenderOptions, SplatKernels

_WEIGHTS = {"make": 0.7, "store": 0.3}
_DEFAULT_COUNT = 100_000
# Views around the middle that are stored with the world, so that there is somewhere to look from.
_CAMERA_COUNT = 24
_Request = generation_service_pb2.GenerateWorldRequest


@dataclass(frozen=True, kw_only=True)
class ProceduralWork:
    """Makes worlds of words.

    Attributes:
        files: The store.
        library: A channel to the library.
        identity: Gets tokens to act for whoever started the operation.
        kernels: What draws the thumbnail.
    """

    files: AssetFiles
    library: grpc.aio.Channel
    identity: ServiceIdentity
    kernels: SplatKernels

    def handlers(self) -> dict[str, Handler]:
        """Returns what does each method's work."""
        return {GENERATE_METHOD: Handler(request_type=_Request, run=self.run, weights=_WEIGHTS)}

    async def run(self, context: JobContext, request: _Request) -> generation_service_pb2.GenerateWorldResponse:
        """Makes a world of words."""
        attributes = attributes_from_words(request.prompt, seed=request.seed)
        sentence = caption(attributes)
        with context.timed("make"):
            await context.report("make", 0.0, sentence)
            scene = await asyncio.to_thread(make_scene, attributes, seed=request.seed)
            count = request.gaussian_count or _DEFAULT_COUNT
            world = await asyncio.to_thread(lambda: gaussians_on(scene, count=count))
        await context.report("make", 1.0)
        with context.timed("store"):
            version = await self._hand_over(context, request, scene, world, sentence)
        await context.report("store", 1.0)
        return generation_service_pb2.GenerateWorldResponse(
            asset_version=version, caption=sentence, gaussian_count=len(world)
        )

    async def _hand_over(
        self, context: JobContext, request: _Request, scene: ProceduralScene, world: GaussianWorld, sentence: str
    ) -> str:
        cameras = orbit(scene, count=_CAMERA_COUNT)
        red, green, blue = (displayed(np.array([scene.air.horizon_rgb])) / 255.0)[0].tolist()
        options = RenderOptions(background_rgb=(red, green, blue))
        thumbnail = await asyncio.to_thread(draw_thumbnail, self.kernels, world, cameras[0], options)
        described = {
            "format_version": 1,
            "made_by": "procedural",
            "gaussian_count": len(world),
            "sh_degree": world.sh_degree,
            "has_scale": True,
            "prompt": request.prompt,
            "caption": sentence,
            "seed": request.seed,
            "background_rgb": [red, green, blue],
            "attributes": dataclasses.asdict(scene.attributes),
            "sun": sun_of(scene),
        }
        outputs = OutputFolder(self.library, self.files.store, operation=context.operation.name, name="world")
        await put_world(outputs, world, described, thumbnail)
        names = [f"view {index}" for index in range(len(cameras))]
        await outputs.put("cameras.json", "application/json", cameras_json(names, cameras))
        for path, mesh in (("scene.glb", scene.mesh), ("solids.glb", scene.solids)):
            pieces = pieces_from_thread(iter(write_world_file(mesh, format_name="glb")))
            await outputs.put(path, FORMATS["glb"].media_type, pieces)
        version = await outputs.commit(
            kind="KIND_WORLD",
            display_name=request.display_name or sentence,
            sources=[],
            token=await self.identity.token_for_mandate(context.operation.mandate),
        )
        return version.name


def sun_of(scene: ProceduralScene) -> dict[str, float]:
    """Where a scene's sun stands, as `RenderSettings.Sun` says it."""
    x, y, z = scene.air.towards_sun
    return {"azimuth_rad": math.atan2(x, z), "elevation_rad": math.asin(min(1.0, max(0.0, y)))}
