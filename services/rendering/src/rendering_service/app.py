"""Where rendering is put together; the only file that knows every class."""

from __future__ import annotations

from collections.abc import Mapping

from praxiscope.rendering.v1 import rendering_service_pb2_grpc, world_rendering_service_pb2_grpc
from praxiscope_assets import AssetFiles
from praxiscope_common.client import open_channel
from praxiscope_common.database import Database
from praxiscope_common.jobs.worker import Worker
from praxiscope_common.server.runtime import Server, create_server, run_until_stopped
from praxiscope_common.service import ServiceRuntime
from praxiscope_common.storage.configuration import open_store
from praxiscope_world_assets import WorldReader
from praxiscope_worlds.kernels import open_kernels
from rendering_service.adapters.film_job import FilmWork
from rendering_service.adapters.jobs import OverlayJobs, OverlayWork
from rendering_service.adapters.live_views import LiveViews
from rendering_service.adapters.mesh_engines import MeshEngines
from rendering_service.adapters.mesh_preparation import decode_texture
from rendering_service.adapters.picture_job import PictureWork
from rendering_service.adapters.stills import Stills
from rendering_service.adapters.world_drawer import WorldDrawer
from rendering_service.adapters.world_jobs import ExportWork, WorldJobs
from rendering_service.adapters.world_views import WorldViews
from rendering_service.api.convert import style_from
from rendering_service.api.rendering_servicer import RenderingServicer
from rendering_service.api.world_convert import flight_from, large_question_from, orbit_from, settings_from
from rendering_service.api.world_servicer import WorldRenderingServicer
from rendering_service.config import RenderingConfig, read_config


class Rendering:
    """The parts of rendering, wired. Make it inside the event loop."""

    def __init__(self, config: RenderingConfig, runtime: ServiceRuntime) -> None:
        """Builds everything; nothing is opened yet."""
        self.config, self.runtime = config, runtime
        self.database = Database(config.database)
        self.store = open_store(config.store)
        self.library = open_channel(config.library_address)
        self.files = AssetFiles(self.library, self.store)
        self.stills = Stills(self.files, runtime.identity, max_at_once=config.max_stills)
        self.kernels = open_kernels(config.kernels_folder, thread_count=config.thread_count)
        self.worlds = WorldReader(self.files, picture_decoder=decode_texture)
        self.engines = MeshEngines(
            thread_count=config.thread_count,
            allowed=config.mesh_engines,
            llvm_library=config.llvm_library,
            max_memory_bytes=config.max_engine_memory_mib << 20,
        )
        self.drawer = WorldDrawer(self.worlds, self.kernels, self.engines)
        self.views = WorldViews(
            self.drawer, runtime.identity, max_at_once=config.max_stills, timeout_s=config.view_timeout_s
        )
        self.live = LiveViews(self.worlds, self.kernels, runtime.identity, max_at_once=config.max_streams)

    def create_server(self) -> Server:
        """Binds the server."""
        jobs = OverlayJobs(database=self.database, files=self.files, identity=self.runtime.identity)
        servicer = RenderingServicer(jobs, self.stills)
        world_jobs = WorldJobs(database=self.database, worlds=self.worlds, identity=self.runtime.identity)
        world_servicer = WorldRenderingServicer(world_jobs, self.views, self.live)
        return create_server(
            self.config.service.server,
            self.runtime.stages(),
            servicers={
                "praxiscope.rendering.v1.RenderingService": lambda server: (
                    rendering_service_pb2_grpc.add_RenderingServiceServicer_to_server(servicer, server)
                ),
                "praxiscope.rendering.v1.WorldRenderingService": lambda server: (
                    world_rendering_service_pb2_grpc.add_WorldRenderingServiceServicer_to_server(world_servicer, server)
                ),
            },
            probes={"database": self.database.probe, "auth": self.runtime.probe_keys},
        )

    def create_worker(self) -> Worker:
        """Makes the worker."""
        work_ = OverlayWork(
            files=self.files, library=self.library, identity=self.runtime.identity, style_from=style_from
        )
        exports = ExportWork(files=self.files, worlds=self.worlds, library=self.library, identity=self.runtime.identity)
        films = FilmWork(
            files=self.files,
            library=self.library,
            identity=self.runtime.identity,
            drawer=self.drawer,
            orbit_from=orbit_from,
            flight_from=flight_from,
            settings_from=settings_from,
        )
        pictures = PictureWork(
            files=self.files,
            library=self.library,
            identity=self.runtime.identity,
            drawer=self.drawer,
            question_from=large_question_from,
        )
        return Worker(
            service="rendering",
            database=self.database,
            handlers={**work_.handlers(), **exports.handlers(), **films.handlers(), **pictures.handlers()},
            metrics=self.runtime.metrics,
            concurrency=self.config.concurrency,
        )

    async def stop(self) -> None:
        """Closes what was opened."""
        self.stills.close()
        self.views.close()
        self.live.close()
        self.engines.close()
        await self.library.close()
        await self.database.close()
        await self.runtime.stop()


async def serve(environ: Mapping[str, str]) -> None:
    """Serves until SIGTERM."""
    config = read_config(environ)
    runtime = ServiceRuntime.start(config.service, role="serve")
    rendering = Rendering(config, runtime)
    await rendering.database.open()
    try:
        await run_until_stopped(rendering.create_server(), background=[runtime.verifier.follow_revocations()])
    finally:
        await rendering.stop()


async def work(environ: Mapping[str, str]) -> None:
    """Works until SIGTERM."""
    config = read_config(environ)
    rendering = Rendering(config, ServiceRuntime.start(config.service, role="work"))
    await rendering.database.open()
    try:
        await rendering.create_worker().run()
    finally:
        await rendering.stop()
