"""Opens a world or a mesh with the engine that suits it, and draws it picture by picture."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np

from praxiscope_assets import AssetFile
from praxiscope_world_assets import OpenMesh, OpenWorld, WorldReader
from praxiscope_worlds import Bounds, Camera, GaussianWorld
from praxiscope_worlds.kernels import RenderOptions, SplatKernels
from rendering_service.adapters.mesh_engines import MeshEngines, ShouldStop
from rendering_service.adapters.mesh_preparation import scene_of
from rendering_service.core.daylight import Daylight, daylight_told
from rendering_service.core.engines import (
    Engine,
    EngineChoice,
    EngineQuestion,
    Hardware,
    Source,
    choose_engine,
    is_daylit,
    needs_hardware,
)
from rendering_service.core.world_view import Layer, RenderSettings, color_levels

# An engine that may draw anything, where nobody has to know what there is.
_NOTHING_KNOWN = Hardware(raster="", raster_missing="", tracer=None, tracer_detail="")
DrawPicture = Callable[[Camera, Layer], np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawableWorld:
    """A world that is open, and what draws it.

    Attributes:
        file: Where it came from.
        bounds: Where the most of it is.
        choice: What draws, and why.
        content: What is drawn; with solids, the surfaces.
        daylight: Light on a mesh; None: colours as they are.
        has_ground: Whether a ground lies under a mesh.
    """

    file: AssetFile
    bounds: Bounds
    choice: EngineChoice
    content: OpenWorld | OpenMesh
    daylight: Daylight | None
    has_ground: bool


class WorldDrawer:
    """Draws worlds with whichever engine suits them.

    Args:
        worlds: Finds and reads worlds.
        kernels: What draws Gaussians.
        engines: What draws meshes.
    """

    def __init__(self, worlds: WorldReader, kernels: SplatKernels, engines: MeshEngines) -> None:
        """Keeps what it needs."""
        self.worlds, self._kernels, self._engines = worlds, kernels, engines

    async def open(
        self,
        world: str,
        settings: RenderSettings,
        *,
        layer: Layer,
        pixel_count: int,
        token: str,
        is_flight: bool = False,
    ) -> DrawableWorld:
        """Reads a world or a mesh and chooses what draws it.

        Args:
            world: The asset's version.
            settings: What was asked for.
            layer: What the pixels say.
            pixel_count: Of all pictures together.
            token: A token that may read it.
            is_flight: Many pictures, drawn by a job.

        Raises:
            DomainError: The world cannot be read, see `WorldReader`; or nothing here draws it so, see `choose_engine`.
        """
        content = await self.worlds.read_any(world, settings.path, token=token)
        file, bounds = content.file, content.bounds
        source = Source.MESH if isinstance(content, OpenMesh) else Source.GAUSSIANS
        if source is Source.GAUSSIANS and settings.engine is Engine.PATH_TRACING:
            solids = await self.worlds.find_solids(world, token=token)
            if solids is not None:
                source, content = Source.SOLIDS, await self.worlds.read_any(world, solids.path, token=token)
        question = EngineQuestion(
            engine=settings.engine,
            quality=settings.quality,
            sample_count=settings.sample_count,
            source=source,
            is_color=layer is Layer.COLOR,
            pixel_count=pixel_count,
            is_flight=is_flight,
        )
        hardware = _NOTHING_KNOWN
        if needs_hardware(settings.engine, source):
            hardware = await asyncio.to_thread(self._engines.hardware)
        choice = choose_engine(question, hardware)
        has_colors = isinstance(content, OpenMesh) and (
            content.mesh.colors_rgb is not None or content.mesh.texture_rgb is not None
        )
        is_lit = is_daylit(settings.lighting, choice.engine, has_colors=has_colors)
        daylight = settings.daylight
        if is_lit and daylight is None:
            daylight = daylight_told(await self.worlds.read_description(world, token=token))
        return DrawableWorld(
            file=file,
            bounds=bounds,
            choice=choice,
            content=content,
            daylight=daylight if is_lit else None,
            has_ground=settings.has_ground,
        )

    @contextmanager
    def drawing(self, world: DrawableWorld, *, should_stop: ShouldStop, timeout_s: float) -> Iterator[DrawPicture]:
        """What draws pictures of a world, one after the other, in the calling thread.

        Args:
            world: From `open`.
            should_stop: Asked while a mesh is drawn.
            timeout_s: Most seconds that one picture of a mesh may take.

        Yields:
            A function that takes a camera and a layer and returns colours [H, W, 3], uint8; depth [H, W], NaN where nothing is; or normals [H, W, 3] in
            the world's frame, 0 there.
        """
        if isinstance(world.content, OpenWorld):
            gaussians, options = world.content.gaussians, world.content.options
            yield lambda camera, layer: self._draw_splats(gaussians, options, camera, layer)
            return
        scene = scene_of(world.content.mesh, has_ground=world.has_ground)
        with self._engines.open(scene, world.choice, world.daylight, should_stop=should_stop) as opened:
            yield lambda camera, layer: opened.draw(camera, layer, timeout_s=timeout_s)

    def _draw_splats(
        self, gaussians: GaussianWorld, options: RenderOptions, camera: Camera, layer: Layer
    ) -> np.ndarray:
        drawn = self._kernels.render(gaussians, camera, replace(options, has_geometry=layer is not Layer.COLOR))
        match layer:
            case Layer.COLOR:
                return color_levels(drawn.color_rgb)
            case Layer.DEPTH:
                assert drawn.depth_m is not None  # it was asked for
                return drawn.depth_m
            case Layer.NORMAL:
                assert drawn.normals is not None  # likewise
                return drawn.normals
